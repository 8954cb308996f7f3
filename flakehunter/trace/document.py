"""The documents that `flakehunter trace` prints: JSON and SARIF."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flakehunter import __version__
from flakehunter.model import SCHEMA_VERSION, Mechanism
from flakehunter.trace.findings import FIXES, Finding
from flakehunter.trace.marks import Mark
from flakehunter.trace.predict import compared, predicted_rates
from flakehunter.trace.processes import Process
from flakehunter.trace.session import TraceResult
from flakehunter.trace.windows import Window

__all__ = ["as_json", "as_sarif"]


def as_json(result: TraceResult) -> dict[str, Any]:
    """Return the `trace --json` document; times are milliseconds since the first call of the command."""
    start = result.world.first or 0.0
    rate = result.observed.rate if result.observed is not None else None

    def ms(time: float | None) -> float | None:
        return None if time is None else round((time - start) * 1000, 3)

    return {
        "schema_version": SCHEMA_VERSION,
        "exit_code": result.exit_code,
        "timed_out": result.timed_out,
        "cut_short": result.cut_short,
        "command": list(result.command),
        "wall_ms": round(result.wall_s * 1000, 1),
        "bare_wall_ms": None if result.bare_wall_s is None else round(result.bare_wall_s * 1000, 1),
        "observed_rate": None if rate is None else {"value": rate[0], "low": rate[1], "high": rate[2]},
        "lines": result.lines,
        "not_understood": result.not_understood,
        "tests": [_test(window, ms) for window in result.world.windows],
        "processes": [_process(process, ms) for process in result.world.processes],
        "forgotten_processes": result.world.born - len(result.world.processes),
        "findings": [_finding(finding, ms, result) for finding in result.findings],
    }


def _test(window: Window, ms: Any) -> dict[str, Any]:
    return {
        "id": window.test,
        "pid": window.process.pid,
        "start_ms": ms(window.start),
        "end_ms": ms(window.end),
        "outcome": None if window.failed is None else "failed" if window.failed else "passed",
    }


def _process(process: Process, ms: Any) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "ppid": process.parent.pid if process.parent else None,
        "pgid": process.pgid,
        "sid": process.sid,
        "argv": list(process.argv),
        "spawn_ms": ms(process.spawned),
        "exec_ms": ms(process.executed),
        "exit_ms": ms(process.exited),
        "reap_ms": ms(process.reaped),
        "adopted_by": process.adopted_by.pid if process.adopted_by else None,
        "reaped_by": process.reaped_by.pid if process.reaped_by else None,
        "status": process.status,
        "left_group": process.left_group or None,
        "survived": process.survived,
        "signals": [
            {"signal": delivery.signal, "ms": ms(delivery.time), "sender": delivery.sender}
            for delivery in process.deliveries
        ],
    }


def _finding(finding: Finding, ms: Any, result: TraceResult) -> dict[str, Any]:
    file, line = _place(finding.look_mark)
    signal_file, signal_line = _place(finding.signal_mark)
    return {
        "mechanism": finding.mechanism.value,
        "test": finding.window.test if finding.window is not None else None,
        "pid": finding.victim.pid,
        "argv": list(finding.victim.argv),
        "signal_ms": ms(finding.signalled),
        "exit_ms": ms(finding.victim.exited),
        "reap_ms": ms(finding.victim.reaped),
        "look_ms": ms(finding.looked),
        "slack_ms": _milliseconds(finding.slack_s),
        "slack_to_reap_ms": _milliseconds(finding.slack_to_reap_s),
        "looker_pid": finding.looker.pid,
        "look": finding.look_kind,
        "file": file,
        "line": line,
        "stack": [f"{name}:{number}" for name, number in finding.look_mark.stack] if finding.look_mark else [],
        "signal_file": signal_file,
        "signal_line": signal_line,
        "predicted_rates": predicted_rates(finding),
        "compared": [
            {
                "stressor": one.stressor,
                "predicted": None if one.predicted is None else round(one.predicted, 4),
                "deaths": one.deaths,
                "observed": asdict(one.observed),
                "trials": one.trials,
            }
            for one in compared(finding, result.observed.stressed if result.observed is not None else ())
        ],
        "text": finding.text,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _place(mark: Mark | None) -> tuple[str | None, int | None]:
    return (mark.file or None, mark.line) if mark is not None else (None, None)


def as_sarif(result: TraceResult, root: Path) -> dict[str, Any]:
    """Return the findings as SARIF 2.1.0; files are relative to `root` where they are below it."""
    used = sorted({finding.mechanism for finding in result.findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "flakehunter",
                        "version": __version__,
                        "rules": [_rule(mechanism) for mechanism in used],
                    }
                },
                "results": [_sarif_result(finding, used.index(finding.mechanism), root) for finding in result.findings],
            }
        ],
    }


def _rule(mechanism: Mechanism) -> dict[str, Any]:
    return {
        "id": mechanism.value,
        "shortDescription": {"text": mechanism.value.replace("-", " ")},
        "help": {"text": FIXES[mechanism]},
    }


def _sarif_result(finding: Finding, rule: int, root: Path) -> dict[str, Any]:
    places = [mark for mark in (finding.look_mark, finding.signal_mark) if mark is not None and mark.file]
    program = Path(finding.victim.argv[0]).name if finding.victim.argv else ""
    where = ":".join(f"{_relative(mark.file, root)}:{mark.line}" for mark in places)
    identity = f"{finding.mechanism}|{program}|{where}"
    result: dict[str, Any] = {
        "ruleId": finding.mechanism.value,
        "ruleIndex": rule,
        "level": "warning",
        "message": {"text": f"{finding.text}. Fix: {FIXES[finding.mechanism]}."},
        "partialFingerprints": {"flakehunter/v1": hashlib.sha256(identity.encode()).hexdigest()[:32]},
    }
    if places:
        result["locations"] = [_location(places[0], root)]
        result["relatedLocations"] = [_location(mark, root) for mark in places[1:]]
    return result


def _location(mark: Mark, root: Path) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(mark.file, root)},
            "region": {"startLine": mark.line},
        }
    }


def _uri(file: str, root: Path) -> str:
    path = Path(file)
    return quote(path.relative_to(root).as_posix()) if path.is_relative_to(root) else path.as_uri()


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
