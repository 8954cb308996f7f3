"""What is said of a flow as a whole: the time limit of the block around it, and what it asks."""

from collections.abc import Iterator
from dataclasses import replace

from flakehunter.scan import idioms
from flakehunter.scan.events import Call, Event, Flow, Kind, Loop, Step, Store, walk


def with_limit(flow: Flow, limit_s: float | None, *, demanded: bool = True) -> Flow:
    """Return `flow` with the time limit of the block around it on its waits."""
    if limit_s is None:
        return flow
    boxed: list[Step] = []
    for step in flow:
        if isinstance(step, Event) and step.kind is Kind.WAIT and step.timeout_s is None:
            step = replace(step, timeout_s=limit_s, demanded=demanded)
        elif isinstance(step, Loop) and step.deadline_s is None:
            step = replace(step, deadline_s=limit_s)
        elif isinstance(step, Store):
            step = replace(step, value=with_limit(step.value, limit_s, demanded=demanded))
        boxed.append(step)
    return tuple(boxed)


def asks(flow: Flow) -> Iterator[bool]:
    """Yield true for each look in `flow`, by an idiom or by the name of a function."""
    for step in walk(flow):
        if isinstance(step, Event):
            yield step.kind is Kind.LOOK
        elif isinstance(step, Call):
            yield idioms.looks(step.name)
