"""Put the description of one test into JSON, or into plain text for a terminal."""

import json
from itertools import groupby
from typing import Any

from flakehunter.console import plural
from flakehunter.detect.output import entry, percent
from flakehunter.detect.settle import next_steps
from flakehunter.detect.show import Description, Group
from flakehunter.model import SCHEMA_VERSION, Verdict

DETAIL_LINES = 30
"""Lines of a failure's text that the terminal shows; JSON has all of it."""

PROPERTY_LINES = 12
"""Properties that the terminal shows."""

LINE_WIDTH = 120
"""Characters of a property that the terminal shows."""

STRIP_WIDTH = 100
"""Commits in one line of the history strip."""


def document(description: Description) -> dict[str, Any]:
    """Return the `show --json` document: the entry of `detect --json`, and all that stands behind it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "test": entry(description.assessment),
        "history": [
            {
                "commit": cell.commit,
                "job": cell.job,
                "branch": cell.branch,
                "passed": cell.passed,
                "failed": cell.failed,
                "skipped": cell.skipped,
                "outage": cell.outage,
            }
            for cell in description.cells
        ],
        "runs": [
            {
                "run": outcome.run.id,
                "external_id": outcome.external_id,
                "attempt": outcome.attempt,
                "job": outcome.run.kind[1],
                "commit": outcome.run.commit,
                "branch": outcome.run.branch,
                "started_at": outcome.run.started_at.isoformat() if outcome.run.started_at else None,
                "verdict": outcome.verdict,
                "duration_s": outcome.duration_s,
            }
            for outcome in description.runs
        ],
        "failures": [_failure(group) for group in description.groups],
        "log_events": [
            {
                "kind": event.kind.value,
                "text": event.text,
                "pid": event.pid,
                "time": event.time.isoformat() if event.time else None,
                "ref": f"log_events:{event.id} {event.path}:{event.line}",
            }
            for event in description.events
        ],
        "experiments": [
            {
                "experiment": one.id,
                "verdict": one.verdict.value,
                "mechanism": one.mechanism.value if one.mechanism else None,
                "failures": one.failures,
                "trials": one.trials,
                "worst_arm": one.arm,
            }
            for one in description.experiments
        ],
        "properties": [
            {"run": one.run_id, "attempt": one.attempt, "name": one.name, "value": one.value}
            for one in description.properties
        ],
    }


def _failure(group: Group) -> dict[str, Any]:
    text = group.text
    return {
        "fingerprint": group.fingerprint,
        "count": group.count,
        "last_run": group.last_run,
        "type": text.type,
        "message": text.message,
        "detail": text.detail,
        "ref": f"failures:{text.failure_id}",
    }


def as_json(description: Description) -> str:
    """Return the document as indented JSON."""
    return json.dumps(document(description), indent=2, ensure_ascii=False)


def as_text(description: Description) -> str:
    """Return the description for a terminal, in sections; sections without content are left out."""
    sections = [
        _head(description),
        _properties(description),
        _strip(description),
        _evidence(description),
        *(_group(group) for group in description.groups),
        _events(description),
        _experiments(description),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _head(description: Description) -> list[str]:
    test, weighed = description.test, description.assessment.weighed
    where = f"{test.file}:{test.line}" if test.file and test.line else test.file
    lines = [
        test.identity.label,
        f"  project {test.identity.project}, {test.framework or 'unknown framework'}"
        + (f", {where}" if where else "")
        + f", key {test.identity.key.hex()}",
        "",
        f"verdict    {weighed.verdict} (P(flaky) {percent(weighed.p_flaky)})",
    ]
    if weighed.mechanism and weighed.p_mechanism is not None:
        lines.append(f"cause      {weighed.mechanism} ({percent(weighed.p_mechanism)} if flaky)")
    if weighed.verdict is not Verdict.BROKEN:
        rate = weighed.rate
        lines.append(f"flake rate {percent(rate.value)}, 95 % interval {percent(rate.low)} to {percent(rate.high)}")
    if weighed.since:
        lines.append(f"since      {weighed.since}")
    one = description.assessment
    lines.append(f"history    {one.executed} executions, {one.failed} failed, {len(description.runs)} runs")
    return lines


def _properties(description: Description) -> list[str]:
    """Return what the newest run says of the test in properties and attachments, each line once."""
    if not description.properties:
        return []
    newest = description.properties[0].run_id
    lines = dict.fromkeys(
        f"  {one.name}: {one.value}" for one in description.properties if one.run_id == newest and one.value
    )
    shown = [line if len(line) <= LINE_WIDTH else line[: LINE_WIDTH - 1] + "…" for line in lines]
    if len(shown) > PROPERTY_LINES:
        shown[PROPERTY_LINES:] = [f"  … {len(shown) - PROPERTY_LINES} more (--json has them)"]
    return ["properties and attachments of the newest run that has some", *shown]


def _strip(description: Description) -> list[str]:
    lines = []
    for (job, branch), group in groupby(description.cells, key=lambda cell: (cell.job, cell.branch)):
        cells = list(group)
        name = " on ".join(part for part in (job, branch) if part) or "all runs"
        span = cells[0].commit[:12] if len(cells) == 1 else f"{cells[0].commit[:12]} … {cells[-1].commit[:12]}"
        lines.append(f"  {name} ({span})")
        marks = "".join(cell.mark for cell in cells)
        lines += [f"    {marks[start : start + STRIP_WIDTH]}" for start in range(0, len(marks), STRIP_WIDTH)]
    if not lines:
        return []
    return ["by commit, oldest first: . passed, F failed, ± both, s skipped, o outage", *lines]


def _evidence(description: Description) -> list[str]:
    evidence = description.assessment.weighed.evidence
    if not evidence:
        return []
    lines = ["evidence, strongest first"]
    for item in evidence:
        ref = item.ref if len(item.ref) <= 80 else item.ref[:79] + "…"
        lines.append(f"  {item.weight:4.2f} {item.source:<8}{item.text}" + (f" [{ref}]" if ref else ""))
    label = description.assessment.test.identity.label
    steps = next_steps(label, description.assessment.weighed)
    if steps:
        lines += ["", "what would settle it", *(f"  {step.command}  # {step.shows}" for step in steps)]
    return lines


def _group(group: Group) -> list[str]:
    times = plural(group.count, "time")
    text = group.text
    body = (text.detail or text.message).splitlines()
    lines = [f"failed {times} like this, last in run {group.last_run} [failures:{text.failure_id}]"]
    heading = f"{text.type}: {text.message.splitlines()[0] if text.message else ''}".strip(": ")
    if heading and heading not in text.detail:
        lines.append(f"  | {heading}")
    lines += [f"  | {line}" for line in body[:DETAIL_LINES]]
    if len(body) > DETAIL_LINES:
        lines.append(f"  | … {len(body) - DETAIL_LINES} more lines (--json has them)")
    return lines


def _events(description: Description) -> list[str]:
    if not description.events:
        return []
    lines = [f"log lines of the newest failed run, {description.events_run}"]
    return lines + [f"  {event.path}:{event.line}: {event.text}" for event in description.events]


def _experiments(description: Description) -> list[str]:
    if not description.experiments:
        return []
    lines = ["experiments of flakehunter repro"]
    for one in description.experiments:
        lines.append(f"  {one.id}: {one.verdict}, {one.failures} of {one.trials} failed; worst arm {one.arm}")
    return lines
