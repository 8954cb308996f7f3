"""Calls on pipes, sockets, ports, files and /proc: messages between processes, and looks at what they hold."""

import re
from pathlib import PurePosixPath

from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.noting import note_assignment, note_look
from flakehunter.trace.processes import Look, LookKind, Process, Wake
from flakehunter.trace.reader import Call
from flakehunter.trace.text import file_descriptor, port_of, split, strings
from flakehunter.trace.world import World, number_argument

__all__ = [
    "bound",
    "connected",
    "limits",
    "listens",
    "named",
    "opened",
    "pair",
    "reads",
    "removed",
    "tested",
    "writes",
]

_PROC = re.compile(r"/proc/(\d+)(?:/(.*))?$")
MOST_MISSED = 20_000
"""Paths looked for in vain that are remembered: an interpreter's search for modules alone makes hundreds."""
MONITORING_ROUNDS = 3
"""Who has looked so often without a reason watches the process anyway."""
ROUND_S = 0.01
"""Looks that are closer to each other are one: a library reads several files of /proc for one answer."""
LONGEST_POLL_PAUSE_S = 1.5
"""Who looked in vain for a file no longer ago than this is polling for it."""
RECENT, ASKED_SOON_S = 8, 0.1
"""Who opens a pidfd and asks whose it is does so at once: among so many assignments, in so many seconds."""
_LISTING = re.compile(r"^/proc/?$|^/proc/\d+/task/\d+/children$|/cgroup\.procs$")
_STATE = re.compile(r"(?:^\d+ \(.*\) |State:\s+)([A-Za-z])", re.DOTALL)


def _channel_of(call: Call) -> str:
    descriptor = file_descriptor(call.arguments.partition(", ")[0])
    name = descriptor[1] if descriptor else ""
    return "" if name.startswith(("/dev/null", "/proc/", "/sys/", "anon_inode")) else name


def writes(world: World, process: Process, call: Call) -> None:
    name = _channel_of(call)
    if name:
        # At the call's beginning: the reader may be there before the writer's call returns.
        channel = world.channel(name)
        channel.writers.add(process.index)
        channel.used = call.entered
        channel.heard.add(process.knowledge, call.entered)
    elif "cgroup.procs" in call.arguments or "/tasks>" in call.arguments:
        _assigns_by_file(world, process, call)


def _assigns_by_file(world: World, process: Process, call: Call) -> None:
    for word in strings(call.arguments)[:1]:
        target = world.find(int(word)) if word.strip().isdigit() else None
        if target is not None and target is not process and not process.namespaced:
            note_assignment(world, process, target, "cgroup.procs", call)


def reads(world: World, process: Process, call: Call) -> None:
    descriptor = file_descriptor(call.arguments.partition(", ")[0])
    if descriptor is None:
        return
    number, name = descriptor
    if name.startswith("/proc/"):
        look = world.proc_reads.pop((process.index, number), None)
        if look is not None:
            _read_state(look, call)
        return
    if call.result is None or call.result < 0:
        return
    end = call.returned or call.entered
    if not name.startswith("/"):  # a pipe, a socket, an eventfd: something came, or the other side has ended
        world.note_wake(call.tid, Wake(call.entered, end, False, call.entered))
    if name not in world.channels and name not in world.peers:
        return
    channel = world.channel(name)
    channel.used = end
    told = name.startswith(("pipe:", "socket:"))
    if told:
        process.told = end
    if call.result > 0:
        channel.heard.teach(process.knowledge, end)
    elif told:
        for writer in channel.writers:
            world.ends_of_output.setdefault((process.index, writer), end)


def _read_state(look: Look, call: Call) -> None:
    if call.error == "ESRCH":
        look.alive = False
        return
    text = "".join(strings(call.arguments)[:1])
    found = _STATE.search(text)
    if found:
        look.kind = LookKind.PROC_STATE
        look.alive = found[1] not in "ZXx"


def pair(world: World, _process: Process, call: Call) -> None:
    ends: list[str] = re.findall(r"<(socket:\[\d+\])>", call.arguments)
    if call.result == 0 and len(ends) == 2:
        world.peers[ends[0]] = world.peers[ends[1]] = ends[0]


def bound(world: World, process: Process, call: Call) -> None:
    port = port_of(call.arguments)
    mark = world.take_mark(call)
    if port is None:
        return
    held = world.holders.get(port) if port else None
    if held is not None and held is not process:
        note_look(
            world, process, held, LookKind.PORT, call, alive=call.error == "EADDRINUSE", target=str(port), mark=mark
        )
    if call.result == 0 and port:
        world.holders[port] = process


def named(world: World, process: Process, call: Call) -> None:
    port = port_of(call.arguments)
    if call.result == 0 and port and port not in world.holders:
        world.holders[port] = process


def listens(world: World, process: Process, call: Call) -> None:
    for port, holder in world.holders.items():
        if holder is process:
            world.channel(f"port {port}").heard.add(process.knowledge, call.entered)


def connected(world: World, process: Process, call: Call) -> None:
    port = port_of(call.arguments)
    if port and call.result == 0:
        world.channel(f"port {port}").heard.teach(process.knowledge, call.returned or call.entered)


def _path_of(call: Call) -> str:
    found = strings(call.arguments)
    if not found:
        return ""
    path = found[0]
    if path.startswith("/") or not call.arguments.startswith("AT_FDCWD<"):
        return path
    return str(PurePosixPath(call.arguments[9 : call.arguments.find(">")]) / path)


def opened(world: World, process: Process, call: Call) -> None:
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
        process.knowledge.tell((FactKind.CREATED, process.index, path), time)
        world.channel(path).heard.add(process.knowledge, time)
    elif not exclusive:
        _looks_for_result(world, process, call, path, there=succeeded)
    if succeeded and path in world.creators:
        world.channel(path).heard.teach(process.knowledge, call.returned or call.entered)


def tested(world: World, process: Process, call: Call) -> None:
    path = _path_of(call)
    if _looks_at_proc(world, process, call, path):
        return
    _looks_for_result(world, process, call, path, there=call.result == 0)
    if path not in world.creators:
        return
    _looks_at_file(world, process, call, path, held=call.result == 0)
    if call.result == 0:
        world.channel(path).heard.teach(process.knowledge, call.returned or call.entered)


def removed(world: World, process: Process, call: Call) -> None:
    path = _path_of(call)
    creator = world.creators.get(path)
    if creator is None or call.result != 0:
        return
    time = call.returned or call.entered
    process.removed[path] = time
    process.knowledge.tell((FactKind.RELEASED, creator.index, path), time)


def _looks_at_file(world: World, process: Process, call: Call, path: str, *, held: bool) -> None:
    creator = world.creators.get(path)
    mark = world.take_mark(call)
    if creator is not None and creator is not process:
        note_look(world, process, creator, LookKind.FILE, call, alive=held, target=path, mark=mark)


def _looks_for_result(world: World, process: Process, call: Call, path: str, *, there: bool) -> None:
    """A file that somebody else makes is there, or not yet; who looked in vain before is waiting for it."""
    creator = world.creators.get(path)
    if creator is not None and creator is not process:
        _notes_release(world, process, call, path, there=there)
    if not there:
        if call.error == "ENOENT":
            world.missed.pop((process.index, path), None)
            world.missed[process.index, path] = call.entered
            if len(world.missed) > MOST_MISSED:
                del world.missed[next(iter(world.missed))]
        return
    if creator is None or creator is process or path not in creator.created:
        return
    if world.missed.get((process.index, path), 0.0) < call.entered - LONGEST_POLL_PAUSE_S:
        mark = world.peek_mark(call)
        note_look(world, process, creator, LookKind.RESULT, call, alive=False, target=path, mark=mark)


def _notes_release(world: World, process: Process, call: Call, path: str, *, there: bool) -> None:
    """Who has seen a file, and sees that it is gone, knows that, and tells it to who waits for its answer."""
    if there:
        world.found.add((process.index, path))
    elif call.error == "ENOENT" and (process.index, path) in world.found:
        world.found.discard((process.index, path))
        creator = world.creators[path]
        process.knowledge.tell((FactKind.RELEASED, creator.index, path), call.returned or call.entered)


def _looks_at_proc(world: World, process: Process, call: Call, path: str) -> bool:
    found = _PROC.match(path)
    if found is None:
        return False
    victim = world.find(int(found[1]))
    mark = world.take_mark(call)
    if victim is None or victim is process or process.namespaced:
        return True
    if any(
        one.how == "pidfd_open" and one.caller is process and one.target is victim
        for one in world.assignments[-RECENT:]
        if call.entered - one.time <= ASKED_SOON_S
    ):
        victim.asked[process.index] = call.entered
    if world.is_scanning(call.tid):
        listed = victim.listed.setdefault(process.index, [])
        if not listed or (len(listed) < MONITORING_ROUNDS and call.entered - listed[-1] > ROUND_S):
            listed.append(call.entered)
        return True
    succeeded = call.result is not None and call.result >= 0
    kind = LookKind.PROC_STATE if found[2] in ("stat", "status") else LookKind.PROC
    look = note_look(world, process, victim, kind, call, alive=succeeded, mark=mark)
    if succeeded and call.name.startswith("open") and call.result is not None and kind is LookKind.PROC_STATE:
        world.proc_reads[(process.index, call.result)] = look
    return True


def limits(world: World, process: Process, call: Call) -> None:
    arguments = split(call.arguments)
    position = {"setpriority": 1}.get(call.name, 0)
    if call.name == "setpriority" and arguments[0] != "PRIO_PROCESS":
        return
    if call.name == "prlimit64" and (len(arguments) < 3 or arguments[2] == "NULL"):
        return
    pid = number_argument(call, position)
    target = world.find(pid) if pid else None
    if target is not None and target is not process:
        note_assignment(world, process, target, call.name.removesuffix("64"), call)
