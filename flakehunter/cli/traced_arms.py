"""`repro --trace`: one traced run of each arm before its trials, and what it predicts beside what the trials saw."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flakehunter.clock import utc_now

if TYPE_CHECKING:
    from flakehunter.repro.command import Command
    from flakehunter.trace.command import Strace
    from flakehunter.trace.session import TraceResult

__all__ = ["TracedArms"]


@dataclass
class TracedArms:
    """Traces the command of each arm once; evidence goes to the test, when it is the one that is asked about."""

    strace: "Strace"
    time_limit_s: float
    runs: "list[tuple[str, Command, TraceResult, datetime]]" = field(default_factory=list)

    @classmethod
    def prepare(cls, time_limit_s: float) -> "TracedArms":
        """Look for strace before anything is run.

        Raises:
            TraceUnavailableError: there is none, or it may not trace.
        """
        from flakehunter.trace.command import find_strace

        return cls(find_strace(), time_limit_s)

    def announcing(self, announce: "Callable[[str, Command], None]") -> "Callable[[str, Command], None]":
        """Return an announcement of arms that traces each of them too."""

        def both(name: str, command: "Command") -> None:
            announce(name, command)
            self._trace(name, command)

        return both

    def _trace(self, name: str, command: "Command") -> None:
        from flakehunter.trace.session import trace

        started = utc_now()
        with tempfile.TemporaryDirectory(prefix="flakehunter-junit-") as folder, Path(os.devnull).open("wb") as quiet:
            result = trace(
                command.words(Path(folder, "junit.xml")),
                cwd=command.cwd,
                environment=command.environment(),
                timeout_s=self.time_limit_s,
                output_to=quiet.fileno(),
                strace=self.strace,
            )
        self.runs.append((name, command, result, started))

    def finish(self, url: str, experiment: int, *, test: str | None, project: str | None) -> list[dict[str, Any]]:
        """Compare with the trials of the experiment, store all as evidence, and return what the document shows."""
        from flakehunter.db.engine import open_database
        from flakehunter.db.queries.tests import find_test
        from flakehunter.db.queries.traces import observed
        from flakehunter.trace.document import as_json
        from flakehunter.trace.store import store

        shown = []
        engine = open_database(url)
        try:
            with engine.connect() as connection:
                row = find_test(connection, test, project=project) if test is not None else None
                seen = observed(connection, row.id if row is not None else None, experiment=experiment)
            for place, (name, command, result, started) in enumerate(self.runs):
                flawed = place == 0
                document = as_json(replace(result, observed=seen if flawed else None))
                store(
                    engine,
                    result,
                    document,
                    project=row.identity.project if row is not None else project or "default",
                    test_id=row.id if row is not None and flawed else None,
                    root=command.cwd,
                    started=started,
                )
                shown.append({"arm": name, **{key: document[key] for key in ("exit_code", "timed_out", "findings")}})
        finally:
            engine.dispose()
        return shown


def as_text(traces: list[dict[str, Any]], cwd: Path) -> str:
    """Return the lines that the table form adds."""
    return "\n".join(line for one in traces for line in _lines(one, cwd))


def _lines(one: dict[str, Any], cwd: Path) -> list[str]:
    if not one["findings"]:
        return [f"Trace of {one['arm']}: no finding."]
    lines = []
    for finding in one["findings"]:
        file = Path(finding["file"]) if finding["file"] else None
        short = str(file.relative_to(cwd) if file.is_relative_to(cwd) else file) if file is not None else ""
        place = f" at {short}:{finding['line']}" if short else ""
        slack = f", slack {finding['slack_ms']:.1f} ms" if finding["slack_ms"] is not None else ""
        lines.append(f"Trace of {one['arm']}: {finding['mechanism']}{place}{slack}.")
        lines += [f"  {line}" for line in comparisons(finding)]
    return lines


def comparisons(finding: dict[str, Any]) -> list[str]:
    """Return a line for each load under which the test was tried: the rate that was predicted, and the observed one."""
    lines = []
    for one in finding["compared"]:
        parts = []
        if one["predicted"] is not None:
            parts.append(f"predicted {one['predicted']:.1%} (of {one['deaths']} deaths)")
        if one["trials"]:
            rate = one["observed"]
            interval = f"[{rate['low']:.1%}, {rate['high']:.1%}]"
            parts.append(f"observed {rate['value']:.1%} {interval} in {one['trials']} trials")
        if parts:
            lines.append(f"under {one['stressor']}: {', '.join(parts)}")
    return lines
