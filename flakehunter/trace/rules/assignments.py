"""Processes put into a container, a limit or a group that could have ended before."""

from collections.abc import Iterator

from flakehunter.model import Mechanism
from flakehunter.trace.findings import LONGEST_SLACK_S, Finding, milliseconds, name_of
from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.processes import Assignment
from flakehunter.trace.world import World

__all__ = ["find"]


def find(world: World) -> Iterator[Finding]:
    """Yield the assignments whose target ended by itself, in its own time and not because it was told to."""
    for assignment in world.assignments:
        target = assignment.target
        if target.exited is None or target.killed_by or target.deliveries or _waited_for_it(assignment):
            continue
        if assignment.caller in (target.reaped_by, target.adopted_by) and assignment.how != "cgroup.procs":
            continue  # an orphan that came to it: as with a child of its own, the pid stays until it reaps it
        if assignment.failed and not world.has_failed(assignment.caller, assignment.time):
            continue  # it tolerates that
        if assignment.how == "pidfd_open" and assignment.caller.knowledge.get((FactKind.EXIT, target.index, "")):
            continue  # opened to wait for the end
        slack = target.exited - assignment.time
        if slack > LONGEST_SLACK_S or (slack < 0 and not assignment.failed):
            continue
        ended = "had ended" if slack < 0 else "ended by itself"
        when = "before" if slack < 0 else "after"
        yield Finding(
            mechanism=Mechanism.ASSIGN_AFTER_EXIT,
            victim=target,
            looker=assignment.caller,
            text=f"{name_of(target)} {ended} {milliseconds(abs(slack))} {when} {assignment.how} by "
            f"{name_of(assignment.caller)}; nothing keeps it alive until then",
            slack_s=slack,
            looked=assignment.time,
            look_kind=assignment.how,
            look_mark=assignment.mark,
        )


def _waited_for_it(assignment: Assignment) -> bool:
    target = assignment.target
    end = target.exited or assignment.time
    told = target.told is not None and assignment.time <= target.told
    return told or target.knows(FactKind.ASSIGNED, target, at=end)
