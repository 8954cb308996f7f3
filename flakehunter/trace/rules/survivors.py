"""Processes that were still alive when their test, or the command, had ended."""

from collections.abc import Iterator

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding, milliseconds, name_of
from flakehunter.trace.processes import Process
from flakehunter.trace.windows import Window
from flakehunter.trace.world import World

__all__ = ["SURVIVOR_GRACE_S", "find"]

SURVIVOR_GRACE_S = 0.5
"""How long a process may outlive its test or the command before it is a survivor: Python's resource tracker and the
like end when they read the end of their pipe, which is after the command's end."""


def find(world: World) -> Iterator[Finding]:
    """Yield what outlived its test, or the command, by more than a grace; one finding for each process."""
    for process in world.processes[1:]:
        window = _test_that_left(world, process)
        if window is not None and window.end is not None:
            yield _finding(world, process, window.process, window.end, "the end of the test", window)
        elif process.survived and world.root is not None and world.root.exited is not None:
            yield _finding(world, process, world.root, world.root.exited, "the end of the command", None)


def _test_that_left(world: World, process: Process) -> Window | None:
    """Return the test whose own function started a process that lived on after it.

    Fixtures may keep theirs longer, and a service that one of them runs starts its own when it likes.
    """
    window = world.windows.of(process, process.spawned)
    if window is None or window.end is None or window.process is process or not window.is_of_body(process.spawned):
        return None
    if world.windows.service_of(process) is not None:
        return None
    last = process.exited if process.exited is not None else world.last
    return window if last is not None and last > window.end + SURVIVOR_GRACE_S else None


def _finding(world: World, process: Process, looker: Process, time: float, what: str, window: Window | None) -> Finding:
    sent = next((sent for sent in world.sent_to(process) if sent.time <= time), None)
    return Finding(
        mechanism=Mechanism.SURVIVOR,
        victim=process,
        looker=looker,
        text=f"{name_of(process)} was still alive at {what}; {_why(world, process, time)}",
        slack_s=None,
        signalled=sent.time if sent else None,
        looked=time,
        look_kind=what.removeprefix("the "),
        signal_mark=sent.mark if sent else None,
        window=window,
    )


def _why(world: World, process: Process, end: float) -> str:
    signals = [sent for sent in world.sent_to(process) if sent.time <= end]
    if signals:
        return f"it got {signals[0].signal} and did not end"
    above = {ancestor.index for ancestor in process.ancestors()} - {0}
    group = next((sent for sent in world.sent if sent.group and sent.victim.index in above and sent.time <= end), None)
    if group is not None and process.left_at is not None:
        return f"it had left the group by {process.left_group} before {group.signal}"
    if process.left_at is not None:
        return f"it left its group by {process.left_group}, and nobody signalled it"
    return f"nobody signalled it in the {milliseconds(end - process.spawned)} since its start"
