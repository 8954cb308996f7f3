"""Add a look or an assignment to the world: what the rules judge."""

from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.marks import Mark
from flakehunter.trace.processes import Assignment, Look, LookKind, Process
from flakehunter.trace.reader import Call
from flakehunter.trace.world import World

__all__ = ["note_assignment", "note_look"]


def note_assignment(world: World, caller: Process, target: Process, how: str, call: Call) -> None:
    # A parent's child cannot vanish before the parent reaps it: only cgroups refuse a zombie.
    if caller is target or (target.parent is caller and how != "cgroup.procs"):
        return
    failed = call.result is not None and call.result < 0
    world.assignments.append(Assignment(call.entered, caller, target, how, failed, world.take_mark(call)))
    if not failed:
        time = call.returned or call.entered
        caller.knowledge.tell((FactKind.ASSIGNED, target.index, ""), time)


def note_look(
    world: World,
    looker: Process,
    victim: Process,
    kind: LookKind,
    call: Call,
    *,
    alive: bool,
    target: str = "",
    mark: Mark | None = None,
) -> Look:
    look = Look(
        time=call.entered,
        looker=looker,
        victim=victim,
        kind=kind,
        alive=alive,
        target=target,
        tid=call.tid,
        wake=world.wake_of(call.tid),
        mark=mark,
    )
    world.looks.append(look)
    return look
