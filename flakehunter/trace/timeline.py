"""The events of a trace as lines of a table: when, who, what."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flakehunter.trace.findings import Finding
from flakehunter.trace.marks import Mark
from flakehunter.trace.processes import Look, Process
from flakehunter.trace.rules.looks import trigger_of
from flakehunter.trace.session import TraceResult
from flakehunter.trace.world import World

__all__ = ["Line", "timeline"]

LONGEST_COMMAND = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line: milliseconds since the start, the kind of event, the processes, what happened, where in the source."""

    ms: float
    event: str
    who: str
    what: str
    place: str = ""
    finding: Finding | None = None


def timeline(result: TraceResult, *, all_events: bool = False) -> list[Line]:
    """Return the lines of a trace in order.

    Without `all_events`, looks that nobody had a reason for are left out (a shell that waits for its child's exec), and
    repeated looks become one line; and of a run of several tests only those with findings are shown.
    """
    world = result.world
    start = world.first or 0.0
    events = [
        *_tests(world),
        *_lives(world),
        *_signals(world),
        *_looks(world, result.findings, all_events=all_events),
        *_others(result.findings),
    ]
    found = [finding.window for finding in result.findings]
    several = len(world.windows) > 1 and not all_events
    return [
        Line((time - start) * 1000, event, who, what, place, finding)
        for time, event, who, what, place, finding in sorted(events, key=lambda one: one[0])
        if not several or finding is not None or any(window is None or window.holds(time) for window in found)
    ]


Event = tuple[float, str, str, str, str, Finding | None]


def _lives(world: World) -> Iterator[Event]:
    for process in world.processes:
        yield process.spawned, "start", str(process.pid), _command(process), "", None
        if process.exited is not None:
            how = process.killed_by or f"status {process.status}"
            yield process.exited, "exit", str(process.pid), how, "", None
        if process.reaped is not None and process.reaped_by is not None:
            delay = (process.reaped - (process.exited or process.reaped)) * 1000
            if delay >= 1:
                text = f"reaped by {process.reaped_by.pid}, {delay:.1f} ms after its end"
                yield process.reaped, "reap", str(process.pid), text, "", None
        if process.left_at is not None:
            yield process.left_at, process.left_group, str(process.pid), "left its group", "", None
        if process.survived:
            yield world.last or process.spawned, "alive", str(process.pid), "outlived the command", "", None


def _tests(world: World) -> Iterator[Event]:
    for window in world.windows:
        pid = str(window.process.pid)
        place = f"{Path(window.file).name}:{window.line}" if window.file else ""
        yield window.start, "test", pid, window.test, place, None
        if window.end is not None:
            outcome = "over" if window.failed is None else "failed" if window.failed else "passed"
            yield window.end, "tested", pid, outcome, "", None


def _signals(world: World) -> Iterator[Event]:
    for sent in world.sent:
        who = f"{sent.sender.pid} → {sent.victim.pid}"
        yield sent.time, "signal", who, sent.signal + (" to the group" if sent.group else ""), _place(sent.mark), None


def _looks(world: World, findings: tuple[Finding, ...], *, all_events: bool) -> Iterator[Event]:
    judged = {(finding.looker.index, finding.victim.index, finding.looked): finding for finding in findings}
    last: dict[tuple[int, int, str], bool] = {}
    for look in world.looks:
        finding = judged.get((look.looker.index, look.victim.index, look.time))
        key = (look.looker.index, look.victim.index, look.kind.value)
        changed = last.get(key) is not look.alive
        last[key] = look.alive
        wanted = trigger_of(world, look.looker, look.victim, look.time) is not None and changed
        if all_events or finding is not None or wanted:
            yield look.time, "look", f"{look.looker.pid} → {look.victim.pid}", _answer(look), _place(look.mark), finding


def _answer(look: Look) -> str:
    words = ("still held", "free") if look.target else ("alive", "gone")
    return f"{look.kind.value} {look.target}".strip() + f": {words[0] if look.alive else words[1]}"


def _others(findings: tuple[Finding, ...]) -> Iterator[Event]:
    """Findings that are about no look: waits, assignments, signals."""
    for finding in findings:
        if (
            finding.look_kind in ("signal", "wait with a deadline", "end of the command", "end of the test")
            or finding.slack_s is None
        ):
            kind = "signal" if finding.look_kind == "signal" else "wait"
            who = f"{finding.looker.pid} → {finding.victim.pid}"
            yield finding.looked or 0.0, kind, who, finding.look_kind, _place(finding.look_mark), finding


def _command(process: Process) -> str:
    text = " ".join(process.command.split())
    return text if len(text) <= LONGEST_COMMAND else text[: LONGEST_COMMAND - 1] + "…"


def _place(mark: Mark | None) -> str:
    return f"{Path(mark.file).name}:{mark.line}" if mark is not None and mark.file else ""
