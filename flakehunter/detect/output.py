"""Put a detection into the forms that machines read: JSON, JSON lines, CSV, Markdown."""

import csv
import io
import json
import textwrap
from collections.abc import Sequence
from typing import Any

from flakehunter.detect.assess import Assessment, Detection
from flakehunter.detect.settle import next_steps
from flakehunter.model import SCHEMA_VERSION, Interval, Verdict

COLUMNS = (
    "id",
    "suite",
    "classname",
    "name",
    "verdict",
    "p_flaky",
    "flake_rate",
    "flake_rate_low",
    "flake_rate_high",
    "mechanism",
    "p_mechanism",
    "since",
    "executed",
    "failed",
    "evidence",
)
"""Columns of the CSV form; the evidence is one cell, strongest first."""


def listed(detection: Detection, *, everything: bool = False) -> list[Assessment]:
    """Return the tests to print: those with a failure or a finding, or all."""
    return [one for one in detection.assessments if everything or one.is_listed]


def document(detection: Detection, *, everything: bool = False) -> dict[str, Any]:
    """Return the `detect --json` document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "runs": detection.runs,
        "commits": detection.commits,
        "outages": [
            {
                "run": run.id,
                "job": run.kind[1],
                "commit": run.commit,
                "failed": run.failed,
                "executed": run.executed,
            }
            for run in detection.outages
        ],
        "bad_runs": [
            {"run": one.run.id, "job": one.run.kind[1], "commit": one.run.commit, "failed": len(one.tests)}
            for one in detection.bad_runs
        ],
        "tests": [entry(one) for one in listed(detection, everything=everything)],
    }


def entry(one: Assessment) -> dict[str, Any]:
    """Return one test of the `detect --json` document."""
    identity, weighed = one.test.identity, one.weighed
    label = identity.label
    return {
        "id": label,
        "key": identity.key.hex(),
        "project": identity.project,
        "suite": identity.suite,
        "classname": identity.classname,
        "name": identity.name,
        "file": one.test.file,
        "line": one.test.line,
        "verdict": weighed.verdict.value,
        "p_flaky": round(weighed.p_flaky, 6),
        "flake_rate": interval(weighed.rate),
        "mechanism": weighed.mechanism.value if weighed.mechanism else None,
        "p_mechanism": None if weighed.p_mechanism is None else round(weighed.p_mechanism, 6),
        "since": weighed.since or None,
        "executed": one.executed,
        "failed": one.failed,
        "cost": {
            "failed_minutes": round(one.cost.failed_minutes, 3),
            "retries": one.cost.retries,
            "builds_lost": one.cost.builds_lost,
            "builds_lost_alone": one.cost.builds_lost_alone,
        },
        "evidence": [
            {"source": item.source.value, "text": item.text, "weight": item.weight, "ref": item.ref}
            for item in weighed.evidence
        ],
        "next": [{"command": step.command, "shows": step.shows} for step in next_steps(label, weighed)],
    }


def interval(rate: Interval) -> dict[str, float]:
    """Return a rate with its ends, as every document spells it."""
    return {"value": round(rate.value, 6), "low": round(rate.low, 6), "high": round(rate.high, 6)}


def as_json(detection: Detection, *, everything: bool = False) -> str:
    """Return the document as JSON, each run and each test on a line of its own."""
    return _in_lines(document(detection, everything=everything))


def _in_lines(whole: dict[str, Any]) -> str:
    """Return a document as JSON with one line for each value, and one for each element where the value is a list.

    What `json` writes with `indent` has one line a number, and takes ten times as long.
    """
    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {_line(value)}" for key, value in whole.items()) + "\n}"


def _line(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join("    " + json.dumps(one, ensure_ascii=False) for one in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)


def as_jsonl(detection: Detection, *, everything: bool = False) -> str:
    """Return one JSON object a line, one line a test; each carries the schema version."""
    return "\n".join(
        json.dumps({"schema_version": SCHEMA_VERSION} | entry(one), ensure_ascii=False)
        for one in listed(detection, everything=everything)
    )


def as_csv(detection: Detection, *, everything: bool = False) -> str:
    """Return a header and one row a test."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for one in listed(detection, everything=everything):
        row = entry(one)
        rate = row.pop("flake_rate")
        row |= {"flake_rate": rate["value"], "flake_rate_low": rate["low"], "flake_rate_high": rate["high"]}
        row["evidence"] = "; ".join(item["text"] for item in row["evidence"])
        writer.writerow(row)
    return buffer.getvalue().rstrip("\n")


HEADINGS = ("VERDICT", "FLAKE RATE (95 %)", "CAUSE", "SINCE", "TEST")


def table_lines(detection: Detection, *, width: int, everything: bool = False) -> list[tuple[Verdict | None, str]]:
    """Return the lines of the table for people, `width` columns wide, each with the verdict of the test it opens.

    Every test has one line of cells, the id last, and its strongest evidence below it.
    """
    tests = shown(detection, everything=everything)
    if not tests:
        return []
    cells = [row_of(one)[:5] for one in tests]
    widths = [max(len(row[column]) for row in [HEADINGS, *cells]) for column in range(4)]
    lines: list[tuple[Verdict | None, str]] = [(None, _cells(HEADINGS, widths))]
    for one, row in zip(tests, cells, strict=True):
        lines.append((one.weighed.verdict, _cells(row, widths)))
        for item in one.weighed.evidence[:EVIDENCE_SHOWN]:
            wrapped = textwrap.wrap(
                f"{item.source}: {item.text}", max(width - 4, 40), initial_indent="    ", subsequent_indent="      "
            )
            lines += [(None, line) for line in wrapped]
        for step in next_steps(one.test.identity.label, one.weighed)[:1]:
            lines.append((None, f"    to settle it: {step.command}"))
    return lines


def _cells(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])


def as_markdown(detection: Detection, *, everything: bool = False) -> str:
    """Return a table for a pull request or a wiki."""
    lines = [
        "| Verdict | Flake rate | Cause | Since | Test | Evidence |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in shown(detection, everything=everything):
        cells = [_cell(text) for text in row_of(one)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


def shown(detection: Detection, *, everything: bool = False) -> list[Assessment]:
    """Return the tests for a table that people read: without the healthy ones, unless everything is wanted."""
    if everything:
        return detection.assessments
    return [one for one in detection.assessments if one.weighed.verdict is not Verdict.HEALTHY and one.is_listed]


EVIDENCE_SHOWN = 3
"""Pieces of evidence in one row of a table; `flakehunter show` gives all."""


def row_of(one: Assessment) -> tuple[str, str, str, str, str, str]:
    """Return the cells of one test: verdict, rate with interval, cause, since, id, evidence."""
    weighed = one.weighed
    verdict = weighed.verdict.value
    if weighed.verdict in (Verdict.FLAKY, Verdict.UNKNOWN):
        verdict += f" {percent(weighed.p_flaky)}"
    cause = ""
    if weighed.mechanism and weighed.p_mechanism is not None:
        cause = f"{weighed.mechanism} {percent(weighed.p_mechanism)}"
    rate = ""
    if weighed.verdict is not Verdict.BROKEN and one.executed:
        rate = f"{percent(weighed.rate.value)} ({percent(weighed.rate.low)}–{percent(weighed.rate.high)})"
    settle = [f"to settle it: {step.command}" for step in next_steps(one.test.identity.label, weighed)[:1]]
    evidence = "\n".join([*(item.text for item in weighed.evidence[:EVIDENCE_SHOWN]), *settle])
    return verdict, rate, cause, weighed.since[:12], one.test.identity.label, evidence


def percent(share: float) -> str:
    """Return a share in per cent with the digits that matter: 0.23 %, 4.1 %, 37 %, > 99.9 %."""
    value = share * 100.0
    if value == 0.0:
        return "0 %"
    if value == 100.0:
        return "100 %"
    if value > 99.9:
        return "> 99.9 %"
    if value < 0.01:
        return "< 0.01 %"
    return f"{value:.2g} %" if value < 10.0 else f"{value:.0f} %" if value < 99.0 else f"{value:.1f} %"
