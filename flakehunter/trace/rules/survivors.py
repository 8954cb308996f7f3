"""Processes that were still alive when the command had ended."""

from collections.abc import Iterator

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding, milliseconds, name_of
from flakehunter.trace.processes import Process
from flakehunter.trace.world import World

__all__ = ["find"]


def find(world: World) -> Iterator[Finding]:
    """Yield every process that outlived the command by more than the grace that the runner of the trace gives."""
    root = world.root
    if root is None or root.exited is None:
        return
    for process in world.processes[1:]:
        if process.survived:
            sent = next((sent for sent in world.sent if sent.victim is process), None)
            yield Finding(
                mechanism=Mechanism.SURVIVOR,
                victim=process,
                looker=root,
                text=f"{name_of(process)} was still alive when the command had ended; {_why(world, process)}",
                slack_s=None,
                signalled=sent.time if sent else None,
                looked=root.exited,
                look_kind="end of the command",
                signal_mark=sent.mark if sent else None,
            )


def _why(world: World, process: Process) -> str:
    signals = [sent for sent in world.sent if sent.victim is process]
    if signals:
        return f"it got {signals[0].signal} and did not end"
    above = {ancestor.index for ancestor in process.ancestors()} - {0}
    group = next((sent for sent in world.sent if sent.group and sent.victim.index in above), None)
    if group is not None and process.left_at is not None:
        return f"it had left the group by {process.left_group} before {group.signal}"
    if process.left_at is not None:
        return f"it left its group by {process.left_group}, and nobody signalled it"
    since = milliseconds((world.root.exited or 0) - process.spawned) if world.root else ""
    return f"nobody signalled it in the {since} of its life"
