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
        if assignment.how == "pidfd_open" and _is_right(assignment):
            continue
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


def _is_right(assignment: Assignment) -> bool:
    """Tell whether a pidfd was opened to wait for the end, or as is right with a process that may end: to ask then."""
    caller, target = assignment.caller, assignment.target
    waits = target.index in caller.deadlines or caller.knowledge.get((FactKind.EXIT, target.index, "")) is not None
    asks = target.asked.get(caller.index, 0.0) >= assignment.time
    return waits or asks or _kept_by_its_parent(assignment)


def _kept_by_its_parent(assignment: Assignment) -> bool:
    """Tell whether who reaps the target was told of the pidfd: then it may have waited for that, and kept the zombie.

    In a PID namespace reapings are not judged, and whose child is whose may be mixed up or unknown when several give
    birth at once: there it is any first process of a namespace that the caller has made.
    """
    target, caller = assignment.target, assignment.caller
    parents = [target.reaped_by or target.parent]
    if target.namespaced or target.parent is None:
        parents = [child for child in caller.children if child.namespaced]
    facts = [parent.knowledge.get((FactKind.ASSIGNED, target.index, "")) for parent in parents if parent is not None]
    return any(heard is not None and heard <= (target.reaped or heard) for heard in facts)


def _waited_for_it(assignment: Assignment) -> bool:
    target = assignment.target
    end = target.exited or assignment.time
    told = target.told is not None and assignment.time <= target.told
    return told or target.knows(FactKind.ASSIGNED, target, at=end)
