"""Calls that matter, one function each: how they change the world, and which looks, waits and signals they are."""

import re
from pathlib import PurePosixPath

from flakehunter.trace.marks import Mark
from flakehunter.trace.processes import Assignment, FactKind, Handler, Look, LookKind, Process, Sent, Wait, Wake
from flakehunter.trace.reader import Call
from flakehunter.trace.text import file_descriptor, integer, members, port_of, split, strings
from flakehunter.trace.world import HARMLESS, Handling, World, number_argument

__all__ = ["ENTERED", "RETURNED"]

SHORTEST_PAUSE_S = 0.001
"""A pause below this is none: event loops poll with a time-out of 0."""
EXPIRY_TOLERANCE_S = 0.003
"""poll and epoll_wait count in milliseconds, and round up."""
_PROC = re.compile(r"/proc/(\d+)(?:/(.*))?$")
MOST_MISSED = 20_000
"""Paths looked for in vain that are remembered: an interpreter's search for modules alone makes hundreds."""
LONGEST_POLL_PAUSE_S = 1.5
"""Who looked in vain for a file no longer ago than this is polling for it."""
_LISTING = re.compile(r"^/proc/?$|^/proc/\d+/task/\d+/children$|/cgroup\.procs$")
_STATE = re.compile(r"(?:^\d+ \(.*\) |State:\s+)([A-Za-z])", re.DOTALL)
_SECONDS = re.compile(r"tv_sec=(\d+), tv_n?u?sec=(\d+)")


# --- signals ---------------------------------------------------------------------------------------------------


def _sends(world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    if call.name == "tgkill":
        arguments = arguments[1:]
    if call.name == "pidfd_send_signal":
        descriptor = file_descriptor(arguments[0])
        target = process.pid_descriptors.get(descriptor[0]) if descriptor else None
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
        world.sent.append(
            Sent(call.entered, process, victim, signal, pid <= 0, call.tid, world.wake_of(call.tid), mark)
        )


def _targets(world: World, process: Process, pid: int, is_kill: bool) -> list[Process]:
    if pid > 0 or not is_kill:
        target = world.threads.get(pid) or world.living.get(pid)
        return [target] if target is not None else []
    if pid == -1:
        return []
    return world.group(process.pgid if pid == 0 else -pid)


def _kill_returned(world: World, process: Process, call: Call) -> None:
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
            _look(world, process, victim, LookKind.KILL, call, alive=call.result == 0, mark=mark)


def _action_set(_world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    if call.result != 0 or len(arguments) < 2 or not arguments[1].startswith("{"):
        return
    signal, action = arguments[0], arguments[1]
    if "SIG_DFL" in action or "SIG_IGN" in action:
        process.handlers.pop(signal, None)
        return
    time = call.returned or call.entered
    process.handlers[signal] = Handler(time, own=True)
    process.installed.append((time, signal))
    process.knowledge[(FactKind.READY, process.index, signal)] = time


# --- groups ----------------------------------------------------------------------------------------------------


def _new_session(_world: World, process: Process, call: Call) -> None:
    if call.result is None or call.result < 0:
        return
    process.pgid = process.sid = process.pid
    process.left_group, process.left_at = "setsid", call.entered


def _new_group(world: World, process: Process, call: Call) -> None:
    pid, group = number_argument(call, 0), number_argument(call, 1)
    target = process if not pid or pid == process.pid else world.find(pid)
    if target is None:
        return
    if call.result == 0:
        target.pgid = group or target.pid
        if target is process:
            process.left_group, process.left_at = "setpgid", call.entered
    if target is not process:
        _assign(world, process, target, "setpgid", call)


# --- waiting for children --------------------------------------------------------------------------------------


def _waited(world: World, process: Process, call: Call) -> None:
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
    if reaped and ("WIFSTOPPED" in call.arguments or "WIFCONTINUED" in call.arguments):
        reaped = None
    child = world.find(reaped) if reaped else None
    if not hangs and pid and pid > 0 and call.result is not None and call.result >= 0:
        _polled_child(world, process, pid, call, gone=bool(reaped))
    if child is not None:
        if keeps:
            world.tell(process, (FactKind.EXIT, child.index, ""), time)
        else:
            world.reap(process, child.pid, time)
        world.wakes[call.tid].append(_wake_by_child(child, call, hangs))


def _waitid_target(process: Process, arguments: list[str]) -> int | None:
    if len(arguments) < 2:
        return None
    if arguments[0] == "P_PIDFD":
        descriptor = file_descriptor(arguments[1])
        target = process.pid_descriptors.get(descriptor[0]) if descriptor else None
        return target.pid if target else None
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
    _look(world, process, victim, LookKind.WAIT, call, alive=not gone, mark=mark)


def _asks_for_itself(process: Process, wake: Wake | None) -> bool:
    """Tell whether a WNOHANG wait without a mark is the run-time's own.

    An event loop that was woken by SIGCHLD asks each of its children; a Python that has no frame of the program's own
    on the stack tidies up (Popen.__del__), and so does one that runs without the hook (-I, -S), as far as one can tell.
    """
    program = PurePosixPath(process.argv[0]).name if process.argv else ""
    paused = wake is not None and wake.pause
    return program.startswith("python") or ("SIGCHLD" in process.handlers and not paused)


# --- pauses and event waits ------------------------------------------------------------------------------------


def _slept(world: World, _process: Process, call: Call) -> None:
    end = call.returned or call.entered
    expiry = _sleep_end(call)
    armed = _armed(world, call, expiry)
    world.attempts[call.tid].append((call.entered, expiry))
    if call.result == 0 and end - armed >= SHORTEST_PAUSE_S:
        world.wakes[call.tid].append(Wake(call.entered, end, True, armed))


def _sleep_end(call: Call) -> float:
    """Return when a sleep ends; for an absolute one on its own clock, which is enough to recognise it."""
    found = _SECONDS.search(call.arguments)
    length = int(found[1]) + int(found[2]) / 1e9 if found else 0.0
    return length if "TIMER_ABSTIME" in call.arguments else call.entered + length


def _resumed_sleep(world: World, _process: Process, call: Call) -> None:
    """restart_syscall(2): a sleep or poll goes on after a signal."""
    attempts = world.attempts.get(call.tid)
    if not attempts:
        return
    expiry = attempts[-1][1]
    armed = _armed(world, call, expiry)
    attempts.append((call.entered, expiry))
    if call.result is not None and call.result >= 0:
        end = call.returned or call.entered
        world.wakes[call.tid].append(Wake(call.entered, end, call.result == 0, armed))


def _polled(world: World, process: Process, call: Call) -> None:
    end = call.returned or call.entered
    timeout = _timeout(call)
    armed = call.entered
    if timeout is not None and timeout >= SHORTEST_PAUSE_S:
        armed = _armed(world, call, call.entered + timeout)
        world.attempts[call.tid].append((call.entered, call.entered + timeout))
    if call.result is None or call.result < 0:
        return
    if call.result == 0:
        if timeout is not None and end - armed >= SHORTEST_PAUSE_S:
            world.wakes[call.tid].append(Wake(call.entered, end, True, armed))
        return
    if timeout is not None and timeout >= SHORTEST_PAUSE_S:
        world.waits.append(Wait(process, call.tid, armed, end, call.entered + timeout - armed))
    world.wakes[call.tid].append(Wake(call.entered, end, False, call.entered))
    for number in _ready(call):
        target = process.pid_descriptors.get(number)
        if target is not None:
            world.tell(process, (FactKind.EXIT, target.index, ""), end)


def _armed(world: World, call: Call, expiry: float) -> float:
    """Return when the timer that ends at `expiry` was armed: at the first of the waits to that end."""
    armed = call.entered
    for start, ends in reversed(world.attempts.get(call.tid, ())):
        if abs(ends - expiry) > EXPIRY_TOLERANCE_S:
            break
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


def _ready(call: Call) -> list[int]:
    if call.name.startswith("epoll"):
        return [int(number) for number in re.findall(r"(?:u32|fd)=(\d+)", call.arguments)]
    return members(call.note)


def _pid_descriptor(world: World, process: Process, call: Call) -> None:
    target = world.find(number_argument(call, 0) or 0)
    if target is None:
        return
    if call.result is not None and call.result >= 0:
        process.pid_descriptors[call.result] = target
    _assign(world, process, target, "pidfd_open", call)


# --- messages --------------------------------------------------------------------------------------------------


def _channel_of(call: Call) -> str:
    descriptor = file_descriptor(call.arguments.partition(", ")[0])
    name = descriptor[1] if descriptor else ""
    return "" if name.startswith(("/dev/null", "/proc/", "/sys/", "anon_inode")) else name


def _writes(world: World, process: Process, call: Call) -> None:
    name = _channel_of(call)
    if name:
        # At the call's beginning: the reader may be there before the writer's call returns.
        channel = world.channel(name)
        channel.writers.add(process.index)
        for fact in process.knowledge:
            channel.knowledge.setdefault(fact, call.entered)
    elif "cgroup.procs" in call.arguments or "/tasks>" in call.arguments:
        _assigns_by_file(world, process, call)


def _assigns_by_file(world: World, process: Process, call: Call) -> None:
    for word in strings(call.arguments)[:1]:
        target = world.find(int(word)) if word.strip().isdigit() else None
        if target is not None and target is not process:
            _assign(world, process, target, "cgroup.procs", call)


def _reads(world: World, process: Process, call: Call) -> None:
    descriptor = file_descriptor(call.arguments.partition(", ")[0])
    if descriptor is None:
        return
    number, name = descriptor
    if name.startswith("/proc/"):
        look = world.proc_reads.pop((process.index, number), None)
        if look is not None:
            _read_state(look, call)
        return
    if call.result is None or call.result < 0 or (name not in world.channels and name not in world.peers):
        return
    end = call.returned or call.entered
    channel = world.channel(name)
    if call.result == 0:
        if name.startswith(("pipe:", "socket:")):
            process.told.append(end)
            world.ends_of_output.append((end, process, frozenset(channel.writers)))
            world.wakes[call.tid].append(Wake(call.entered, end, False, call.entered))
        return
    process.learn(channel.knowledge, end)
    if name.startswith(("pipe:", "socket:")):
        process.told.append(end)
        world.wakes[call.tid].append(Wake(call.entered, end, False, call.entered))


def _read_state(look: Look, call: Call) -> None:
    if call.error == "ESRCH":
        look.alive = False
        return
    text = "".join(strings(call.arguments)[:1])
    found = _STATE.search(text)
    if found:
        look.kind = LookKind.PROC_STATE
        look.alive = found[1] not in "ZXx"


def _pair(world: World, _process: Process, call: Call) -> None:
    ends: list[str] = re.findall(r"<(socket:\[\d+\])>", call.arguments)
    if call.result == 0 and len(ends) == 2:
        world.peers[ends[0]] = world.peers[ends[1]] = ends[0]


# --- resources -------------------------------------------------------------------------------------------------


def _bound(world: World, process: Process, call: Call) -> None:
    port = port_of(call.arguments)
    mark = world.take_mark(call)
    if port is None:
        return
    held = world.holders.get(port) if port else None
    if held is not None and held is not process:
        _look(world, process, held, LookKind.PORT, call, alive=call.error == "EADDRINUSE", target=str(port), mark=mark)
    if call.result == 0 and port:
        world.holders[port] = process


def _named(world: World, process: Process, call: Call) -> None:
    port = port_of(call.arguments)
    if call.result == 0 and port and port not in world.holders:
        world.holders[port] = process


def _listens(world: World, process: Process, call: Call) -> None:
    for port, holder in world.holders.items():
        if holder is process:
            world.channel(f"port {port}").knowledge.update(process.knowledge)


def _connected(world: World, process: Process, call: Call) -> None:
    port = port_of(call.arguments)
    if port and call.result == 0:
        process.learn(world.channel(f"port {port}").knowledge, call.returned or call.entered)


def _path_of(call: Call) -> str:
    found = strings(call.arguments)
    if not found:
        return ""
    path = found[0]
    if path.startswith("/") or not call.arguments.startswith("AT_FDCWD<"):
        return path
    return str(PurePosixPath(call.arguments[9 : call.arguments.find(">")]) / path)


def _opened(world: World, process: Process, call: Call) -> None:
    path = _path_of(call)
    if _LISTING.search(path):
        world.scans[call.tid] = call.returned or call.entered
    if _looks_at_proc(world, process, call, path) or not path or path.startswith(("/dev/", "/sys/", "/proc/")):
        return
    exclusive = "O_EXCL" in call.arguments
    if exclusive:
        _looks_at_file(world, process, call, path, held=call.error == "EEXIST")
    succeeded = call.result is not None and call.result >= 0
    if succeeded and "O_CREAT" in call.arguments and (exclusive or path not in world.creators):
        time = call.returned or call.entered
        world.creators[path] = process
        process.created[path] = time
        process.knowledge[(FactKind.CREATED, process.index, path)] = time
        world.channel(path).knowledge.update(process.knowledge)
    elif not exclusive:
        _looks_for_result(world, process, call, path, there=succeeded)
    if succeeded and path in world.creators:
        process.learn(world.channel(path).knowledge, call.returned or call.entered)


def _tested(world: World, process: Process, call: Call) -> None:
    path = _path_of(call)
    if _looks_at_proc(world, process, call, path):
        return
    _looks_for_result(world, process, call, path, there=call.result == 0)
    if path not in world.creators:
        return
    _looks_at_file(world, process, call, path, held=call.result == 0)
    if call.result == 0:
        process.learn(world.channel(path).knowledge, call.returned or call.entered)


def _removed(world: World, process: Process, call: Call) -> None:
    path = _path_of(call)
    creator = world.creators.get(path)
    if creator is None or call.result != 0:
        return
    time = call.returned or call.entered
    process.removed[path] = time
    process.knowledge.setdefault((FactKind.RELEASED, creator.index, path), time)


def _looks_at_file(world: World, process: Process, call: Call, path: str, *, held: bool) -> None:
    creator = world.creators.get(path)
    mark = world.take_mark(call)
    if creator is not None and creator is not process:
        _look(world, process, creator, LookKind.FILE, call, alive=held, target=path, mark=mark)


def _looks_for_result(world: World, process: Process, call: Call, path: str, *, there: bool) -> None:
    """A file that somebody else makes is there, or not yet; who looked in vain before is waiting for it."""
    creator = world.creators.get(path)
    if not there:
        if call.error == "ENOENT" and len(world.missed) < MOST_MISSED:
            world.missed[process.index, path] = call.entered
        return
    if creator is None or creator is process or path not in creator.created:
        return
    if world.missed.get((process.index, path), 0.0) < call.entered - LONGEST_POLL_PAUSE_S:
        mark = world.peek_mark(call)
        _look(world, process, creator, LookKind.RESULT, call, alive=False, target=path, mark=mark)


def _looks_at_proc(world: World, process: Process, call: Call, path: str) -> bool:
    found = _PROC.match(path)
    if found is None:
        return False
    victim = world.find(int(found[1]))
    mark = world.take_mark(call)
    if victim is None or victim is process or world.is_scanning(call.tid):
        return True
    succeeded = call.result is not None and call.result >= 0
    kind = LookKind.PROC_STATE if found[2] in ("stat", "status") else LookKind.PROC
    look = _look(world, process, victim, kind, call, alive=succeeded, mark=mark)
    if succeeded and call.name.startswith("open") and call.result is not None and kind is LookKind.PROC_STATE:
        world.proc_reads[(process.index, call.result)] = look
    return True


def _limits(world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    position = {"setpriority": 1}.get(call.name, 0)
    if call.name == "setpriority" and arguments[0] != "PRIO_PROCESS":
        return
    if call.name == "prlimit64" and (len(arguments) < 3 or arguments[2] == "NULL"):
        return
    pid = number_argument(call, position)
    target = world.find(pid) if pid else None
    if target is not None and target is not process:
        _assign(world, process, target, call.name.removesuffix("64"), call)


def _assign(world: World, caller: Process, target: Process, how: str, call: Call) -> None:
    # A parent's child cannot vanish before the parent reaps it: only cgroups refuse a zombie.
    if caller is target or (target.parent is caller and how != "cgroup.procs"):
        return
    failed = call.result is not None and call.result < 0
    world.assignments.append(Assignment(call.entered, caller, target, how, failed, world.take_mark(call)))
    if not failed:
        time = call.returned or call.entered
        caller.knowledge.setdefault((FactKind.ASSIGNED, target.index, ""), time)


def _look(
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


_POLLING = ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2")
_TESTING = ("access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx", "readlink", "readlinkat")

ENTERED: dict[str, list[Handling]] = {
    **{name: [_sends] for name in ("kill", "tkill", "tgkill", "pidfd_send_signal")},
    **{name: [_writes] for name in ("write", "writev", "sendto", "sendmsg")},
}
RETURNED: dict[str, list[Handling]] = {
    "kill": [_kill_returned],
    "rt_sigaction": [_action_set],
    "setsid": [_new_session],
    "setpgid": [_new_group],
    "wait4": [_waited],
    "waitid": [_waited],
    "nanosleep": [_slept],
    "clock_nanosleep": [_slept],
    "restart_syscall": [_resumed_sleep],
    **{name: [_polled] for name in _POLLING},
    "pidfd_open": [_pid_descriptor],
    **{name: [_reads] for name in ("read", "readv", "recvfrom", "recvmsg")},
    "socketpair": [_pair],
    "bind": [_bound],
    "getsockname": [_named],
    "listen": [_listens],
    "connect": [_connected],
    "open": [_opened],
    "openat": [_opened],
    **{name: [_tested] for name in _TESTING},
    "unlink": [_removed],
    "unlinkat": [_removed],
    **{name: [_limits] for name in ("prlimit64", "sched_setaffinity", "setpriority")},
}
CALLS = frozenset(ENTERED) | frozenset(RETURNED) | {"clone", "clone3", "fork", "vfork", "execve", "execveat"}
