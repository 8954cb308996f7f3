"""Calls that block: pauses, waits for events, and pidfds, with when their time-out was armed."""

import re

from flakehunter.trace.noting import note_assignment
from flakehunter.trace.processes import Process, Wait, Wake
from flakehunter.trace.reader import Call
from flakehunter.trace.text import integer, members, split
from flakehunter.trace.world import World, number_argument

__all__ = ["POLLING", "SLEEPING", "pid_descriptor", "polled", "resumed_sleep", "slept"]

SHORTEST_PAUSE_S = 0.001
"""A pause below this is none: event loops poll with a time-out of 0."""
EXPIRY_TOLERANCE_S = 0.003
"""poll and epoll_wait count in milliseconds, and round up."""
SHORTEST_TIMER_S = 2 * EXPIRY_TOLERANCE_S
"""Waits that are shorter end too close to each other to tell whether they are the rest of one pause."""
LONGEST_SLICE_S = 0.1
"""A wait of an event loop for no more than this is a slice of a longer one, as loops over select(2) take it."""
POLLING = ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2")
SLEEPING = ("nanosleep", "clock_nanosleep")
BLOCKING = frozenset({*POLLING, *SLEEPING, "restart_syscall"})
_RESUMING = re.compile(r"resuming interrupted (\w+)")
_SECONDS = re.compile(r"tv_sec=(\d+), tv_n?u?sec=(\d+)")


def slept(world: World, _process: Process, call: Call) -> None:
    end = call.returned or call.entered
    expiry = _sleep_end(call)
    armed = _armed(world, call, expiry)
    world.attempts[call.tid].append((call.entered, expiry))
    if call.result == 0 and end - armed >= SHORTEST_PAUSE_S:
        world.note_wake(call.tid, Wake(call.entered, end, True, armed))


def _sleep_end(call: Call) -> float:
    """Return when a sleep ends; for an absolute one on its own clock, which is enough to recognise it."""
    found = _SECONDS.search(call.arguments)
    length = int(found[1]) + int(found[2]) / 1e9 if found else 0.0
    return length if "TIMER_ABSTIME" in call.arguments else call.entered + length


def resumed_sleep(world: World, process: Process, call: Call) -> None:
    """restart_syscall(2): a sleep or poll goes on after a signal, or a futex, which is not traced.

    strace says which call it takes it for: the last traced one of the thread.
    """
    attempts = world.attempts.get(call.tid)
    resumed = _RESUMING.search(call.arguments)
    if resumed is not None and resumed[1] not in BLOCKING:
        if call.result == 0:
            end = call.returned or call.entered
            world.note_wake(call.tid, Wake(call.entered, end, False, call.entered))
        return
    if not attempts:
        return
    expiry = attempts[-1][1]
    armed = _armed(world, call, expiry)
    attempts.append((call.entered, expiry))
    if call.result is not None and call.result >= 0:
        end = call.returned or call.entered
        descriptors = world.interrupted.pop(call.tid, [])
        if call.result > 0:
            _note_wait(world, process, call.tid, (armed, end, expiry), descriptors)
        if call.result == len(descriptors):  # else it is not to be known which of them it was
            _tell_ends(world, process, descriptors, end)
        world.note_wake(call.tid, Wake(call.entered, end, call.result == 0, armed))


def polled(world: World, process: Process, call: Call) -> None:
    asked = _polled_descriptors(call)
    _tell_of_cut_answer(world, process, call, asked)
    end = call.returned or call.entered
    timeout = _timeout(call)
    armed = call.entered
    if timeout is not None and timeout >= SHORTEST_PAUSE_S:
        armed = _armed(world, call, call.entered + timeout)
        world.attempts[call.tid].append((call.entered, call.entered + timeout))
    if call.result is None or call.result < 0:
        world.interrupted[call.tid] = asked
        return
    if call.result == 0:
        if timeout is not None and end - armed >= SHORTEST_PAUSE_S:
            world.note_wake(call.tid, Wake(call.entered, end, True, armed))
        return
    ready = _ready(call, asked)
    if timeout is not None:
        _note_wait(world, process, call.tid, (armed, end, call.entered + timeout), ready)
    world.note_wake(call.tid, Wake(call.entered, end, False, call.entered))
    _tell_ends(world, process, ready, end)


def _tell_ends(world: World, process: Process, ready: list[int], time: float) -> None:
    """Tell a process of the end of those whose pidfds are readable."""
    for number in ready:
        target = world.find(process.pid_descriptors.get(number, 0))
        if target is not None:
            world.tell_end(process, target, time)
            process.awaited[target.index] = time


def _note_wait(
    world: World, process: Process, tid: int, times: tuple[float, float, float], descriptors: list[int]
) -> None:
    """Note a wait whose time did not run out; `times` are when that was armed, the end, and when it would have.

    Who is told by a hook how long the wait for a process goes on, has a slice of it here.
    """
    armed, end, expiry = times
    targets = [world.find(process.pid_descriptors.get(number, 0)) for number in descriptors]
    said = [process.deadlines[one.index] for one in targets if one is not None and one.index in process.deadlines]
    if said:
        world.waits.extend(Wait(process, tid, start, end, length) for start, length in said)
    elif expiry - armed > LONGEST_SLICE_S:
        follows = _ran_out(world, tid, armed)
        world.waits.append(Wait(process, tid, armed, end, expiry - armed, follows, tid not in world.dealing))


def _ran_out(world: World, tid: int, moment: float) -> bool:
    """Tell whether a pause of the thread ended just before that moment."""
    for wake in reversed(world.wakes.get(tid, ())):
        if wake.end < moment - EXPIRY_TOLERANCE_S:
            break
        if wake.pause and wake.end <= moment:
            return True
    return False


def _armed(world: World, call: Call, expiry: float) -> float:
    """Return when the timer that ends at `expiry` was armed: at the first of the waits to that end."""
    armed = call.entered
    for start, ends in reversed(world.attempts.get(call.tid, ())):
        if abs(ends - expiry) > EXPIRY_TOLERANCE_S:
            break
        if ends - start >= SHORTEST_TIMER_S:
            armed = min(armed, start)
    return armed


def _timeout(call: Call) -> float | None:
    """Return the time-out of a poll, select or epoll_wait in seconds; None when it waits for ever."""
    arguments = split(call.arguments)
    if call.name in ("epoll_wait", "epoll_pwait", "poll"):
        position = 2 if call.name == "poll" else 3
        milliseconds = integer(arguments[position]) if position < len(arguments) else None
        return None if milliseconds is None or milliseconds < 0 else milliseconds / 1000
    position = {"select": 4, "pselect6": 4, "ppoll": 2, "epoll_pwait2": 3}[call.name]
    found = _SECONDS.search(arguments[position]) if position < len(arguments) else None
    if found is None:
        return None
    return int(found[1]) + int(found[2]) / (1e6 if "tv_usec" in arguments[position] else 1e9)


def _polled_descriptors(call: Call) -> list[int]:
    """Return the descriptors that a poll(2) was given; those of an epoll are not in the call."""
    return [int(number) for number in re.findall(r"\bfd=(\d+)", call.arguments)]


def _ready(call: Call, asked: list[int]) -> list[int]:
    if call.name.startswith("epoll"):
        return [int(number) for number in re.findall(r"(?:u32|fd)=(\d+)", call.arguments)]
    # Of the answer strace shows 32, and of the question all.
    return asked if len(asked) == call.result else members(call.note)


def _tell_of_cut_answer(world: World, process: Process, call: Call, asked: list[int]) -> None:
    """Tell of what the last poll(2) of the thread has said where strace cut its answer off.

    It is known by the next one, if that asks for all the others: who was ready is not asked for again.
    """
    last = world.cut_answers.pop(call.tid, None)
    if last is not None:
        before, count, time = last
        left_out = [number for number in before if number not in asked]
        if len(left_out) == count:
            _tell_ends(world, process, left_out, time)
    if call.result is not None and 0 < call.result < len(asked) and "..." in call.note:
        world.cut_answers[call.tid] = (asked, call.result, call.returned or call.entered)


def pid_descriptor(world: World, process: Process, call: Call) -> None:
    pid = number_argument(call, 0) or 0
    if call.result is not None and call.result >= 0:
        process.pid_descriptors[call.result] = pid
    target = world.find(pid)
    if target is None:
        return
    mark = world.peek_mark(call)
    if mark is not None and mark.timeout_s is not None:
        start, length = process.deadlines.get(target.index, (0.0, 0.0))
        left = start + length - call.entered
        # A later round of the same wait has what is left of its time.
        if not 0 <= mark.timeout_s <= left + EXPIRY_TOLERANCE_S:
            process.deadlines[target.index] = (call.entered, mark.timeout_s)
    note_assignment(world, process, target, "pidfd_open", call)
