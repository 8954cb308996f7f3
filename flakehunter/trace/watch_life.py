"""Calls about signals, groups, sessions and children: how they change the world, and which looks they are."""

from pathlib import PurePosixPath

from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.native import native_mark
from flakehunter.trace.noting import note_assignment, note_look
from flakehunter.trace.processes import Handler, LookKind, Process, Sent, Wake
from flakehunter.trace.reader import Call
from flakehunter.trace.text import file_descriptor, integer, split
from flakehunter.trace.world import HARMLESS, World, number_argument

__all__ = [
    "UNHEEDED",
    "action_set",
    "controlled",
    "kill_returned",
    "new_group",
    "new_session",
    "sends",
    "unshared",
    "waited",
]

UNHEEDED = (HARMLESS - {"SIGCHLD", "SIG_0"}) | {
    *("SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGSTKFLT"),
    *("SIGXFSZ", "SIGXCPU", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR"),
}
"""Signals that nobody sends to end a process, so that handlers for them do not matter. Run-times set and reset handlers
for all signals, and each is a call that stops the process. SIGPIPE is not among them: it is what CPython's child sets
first, and strace stops a new child at every call until its filter has reported one (stops.py)."""


def sends(world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    if call.name == "tgkill":
        arguments = arguments[1:] or [""]
    if call.name == "pidfd_send_signal":
        descriptor = file_descriptor(arguments[0])
        target = world.find(process.pid_descriptors.get(descriptor[0], 0)) if descriptor else None
        victims, pid = ([target] if target else []), target.pid if target else 0
    else:
        pid = integer(arguments[0]) or 0
        victims = _targets(world, process, pid, call.name == "kill")
    signal = arguments[1] if len(arguments) > 1 else ""
    if signal in ("0", "SIG_0", "") or signal in HARMLESS:
        return
    mark = world.take_mark(call)
    for victim in victims:
        if victim is process or victim.exited is not None:
            continue
        # A signal is a message too: who passes it on knows what its sender knew.
        victim.knowledge.learn(process.knowledge, call.entered)
        victim.by_signal.add(process.knowledge, call.entered, each=True)
        world.note_sent(Sent(call.entered, process, victim, signal, pid <= 0, call.tid, world.wake_of(call.tid), mark))


def _targets(world: World, process: Process, pid: int, is_kill: bool) -> list[Process]:
    if pid > 0 or not is_kill:
        target = world.threads.get(pid) or world.living.get(pid)
        return [target] if target is not None else []
    if pid == -1:
        return []
    return world.group(process.pgid if pid == 0 else -pid)


def kill_returned(world: World, process: Process, call: Call) -> None:
    if call.frames:
        _place_afterwards(world, call)
    arguments = split(call.arguments)
    if len(arguments) < 2 or arguments[1] not in ("0", "SIG_0"):
        return
    pid = integer(arguments[0]) or 0
    mark = world.take_mark(call)
    if pid > 0:
        victims = [world.find(pid)]
    else:
        victims = [victim for victim in world.processes if victim.pgid == -pid and pid < -1]
    for victim in victims:
        if victim is not None and victim is not process:
            note_look(world, process, victim, LookKind.KILL, call, alive=call.result == 0, mark=mark)


def _place_afterwards(world: World, call: Call) -> None:
    """The native stack of a call that was broken off stands below its end, when its signals are noted already."""
    for sent in reversed(world.sent):
        if sent.tid != call.tid or sent.time != call.entered:
            return
        sent.mark = sent.mark or native_mark(call.frames)


def action_set(_world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    if call.result != 0 or len(arguments) < 2 or not arguments[1].startswith("{"):
        return
    signal, action = arguments[0], arguments[1]
    if signal in UNHEEDED:
        return
    if "SIG_DFL" in action or "SIG_IGN" in action:
        process.handlers.pop(signal, None)
        return
    time = call.returned or call.entered
    process.handlers[signal] = Handler(time, own=True)
    process.installed.append((time, signal))
    process.knowledge.tell((FactKind.READY, process.index, signal), time)


def controlled(_world: World, process: Process, call: Call) -> None:
    """prctl(2): only who takes orphans matters."""
    arguments = split(call.arguments)
    if call.result == 0 and arguments[0] == "PR_SET_CHILD_SUBREAPER" and len(arguments) > 1:
        process.subreaper = arguments[1] != "0"


def unshared(_world: World, process: Process, call: Call) -> None:
    """unshare(2), setns(2): a new PID namespace is for the children that come."""
    if call.result == 0 and "CLONE_NEWPID" in call.arguments:
        process.unshared_pids = True


def new_session(_world: World, process: Process, call: Call) -> None:
    if call.result is None or call.result < 0:
        return
    process.pgid = process.sid = process.pid
    process.left_group, process.left_at = "setsid", call.entered


def new_group(world: World, process: Process, call: Call) -> None:
    pid, group = number_argument(call, 0), number_argument(call, 1)
    target = process if not pid or pid == process.pid else world.find(pid)
    if target is None:
        return
    if call.result == 0:
        target.pgid = group or target.pid
        if target is process:
            process.left_group, process.left_at = "setpgid", call.entered
    if target is not process:
        note_assignment(world, process, target, "setpgid", call)


def waited(world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    hangs = "WNOHANG" not in call.arguments
    if call.name == "waitid":
        pid = _waitid_target(process, arguments)
        reaped = integer(call.arguments.partition("si_pid=")[2]) if call.result == 0 else None
        keeps = "WNOWAIT" in call.arguments
    else:
        pid = integer(arguments[0]) if arguments else None
        reaped = call.result if call.result and call.result > 0 else None
        keeps = False
    time = call.returned or call.entered
    if call.error == "ECHILD" and process.subreaper and (arguments[0] in ("P_ALL", "-1")):
        _nobody_is_left(world, process, time)
    if reaped and ("WIFSTOPPED" in call.arguments or "WIFCONTINUED" in call.arguments):
        reaped = None
    child = world.find(reaped) if reaped else None
    if not hangs and pid and pid > 0 and call.result is not None and call.result >= 0:
        _polled_child(world, process, pid, call, gone=bool(reaped))
    if child is not None:
        if keeps:
            world.tell_end(process, child, time)
        else:
            world.reap(process, child.pid, time)
        world.note_wake(call.tid, _wake_by_child(child, call, hangs))


def _nobody_is_left(world: World, process: Process, time: float) -> None:
    """A subreaper without a child has no descendant: orphans would have come to it (prctl(2))."""
    for below in world.processes:
        if below.exited is not None and below.index > process.index and process in below.ancestors():
            world.tell_end(process, below, time)
            process.knowledge.tell((FactKind.REAP, below.index, ""), time)
            process.awaited[below.index] = time


def _waitid_target(process: Process, arguments: list[str]) -> int | None:
    if len(arguments) < 2:
        return None
    if arguments[0] == "P_PIDFD":
        descriptor = file_descriptor(arguments[1])
        return process.pid_descriptors.get(descriptor[0]) if descriptor else None
    return integer(arguments[1]) if arguments[0] == "P_PID" else None


def _wake_by_child(child: Process, call: Call, hangs: bool) -> Wake:
    time = call.returned or call.entered
    # A shell pauses by running sleep(1) and waiting for it.
    slept = hangs and PurePosixPath(child.argv[0] if child.argv else "").name == "sleep" and not child.killed_by
    return Wake(call.entered, time, slept, child.spawned if slept else call.entered)


def _polled_child(world: World, process: Process, pid: int, call: Call, *, gone: bool) -> None:
    victim = world.find(pid)
    mark = world.take_mark(call)
    if victim is None or (mark is not None and mark.internal):
        return
    if mark is None and _asks_for_itself(process, world.wake_of(call.tid)):
        return
    note_look(world, process, victim, LookKind.WAIT, call, alive=not gone, mark=mark)


def _asks_for_itself(process: Process, wake: Wake | None) -> bool:
    """Tell whether a WNOHANG wait without a mark is the run-time's own.

    An event loop that was woken by SIGCHLD asks each of its children; a Python that has no frame of the program's own
    on the stack tidies up (Popen.__del__), and so does one that runs without the hook (-I, -S), as far as one can tell.
    """
    program = PurePosixPath(process.argv[0]).name if process.argv else ""
    paused = wake is not None and wake.pause
    return program.startswith("python") or ("SIGCHLD" in process.handlers and not paused)
