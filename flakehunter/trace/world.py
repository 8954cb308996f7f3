"""The state of all processes of a trace, moved on record by record: births, programs, signals, deaths, reaps."""

import signal as signals
from collections import defaultdict, deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field

from flakehunter.trace.findings import Finding
from flakehunter.trace.knowledge import FactKind, Heard, Knowledge
from flakehunter.trace.marks import PREFIX, Mark, parse_mark
from flakehunter.trace.native import native_mark
from flakehunter.trace.processes import (
    Assignment,
    Delivery,
    Handler,
    Look,
    Process,
    Sent,
    Wait,
    Wake,
)
from flakehunter.trace.reader import Call, Ended, Entered, Record, Returned, Signalled, Superseded
from flakehunter.trace.text import integer, split, strings
from flakehunter.trace.windows import BOUNDARIES, Windows

__all__ = ["EXECUTING", "HARMLESS", "MARKING", "SPAWNING", "Channel", "Handling", "World", "number_argument"]

SPAWNING = frozenset({"clone", "clone3", "fork", "vfork"})
EXECUTING = frozenset({"execve", "execveat"})
MARKING = ("access", "faccessat", "faccessat2")
"""Calls by which hooks make marks; which of them it is, depends on the C library and the kernel."""
PID_CALLS = frozenset(
    [
        "kill",
        "tkill",
        "tgkill",
        "pidfd_open",
        "wait4",
        "waitid",
        "setpgid",
        "prlimit64",
        "sched_setaffinity",
        "setpriority",
    ]
)
"""Calls by which a process names another. In a PID namespace of the test's own (pid_namespaces(7)) their numbers mean
other processes than ours do, and are not judged."""
DEALING = frozenset({*SPAWNING, "kill", "pidfd_send_signal", "wait4", "waitid", "pidfd_open"})
"""Calls of a thread that has to do with processes, if they are not births of threads."""
MOST_ATTEMPTS = 1000
"""Waits of a thread that are remembered, to find the beginning of a pause that was made of several."""
MARK_LIFE_S = 0.25
"""A mark stands right before its call; older ones belong to a call that never came."""
HARMLESS = frozenset({"SIGCHLD", "SIGCONT", "SIGWINCH", "SIGURG", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIG_0"})
"""Signals that are not meant to end a process."""


@dataclass(slots=True)
class Channel:
    """A pipe, socket pair, listening port or file: what was written into it is known to whoever reads it."""

    heard: Heard = field(default_factory=Heard)
    writers: set[int] = field(default_factory=set)
    used: float = 0.0
    """When a pipe or socket was last written to or read from."""


Handling = Callable[["World", Process, Call], None]


class World:
    """Processes and what they did, as far as the trace has been read.

    Feed it with `consume`; then `processes`, `looks`, `sent`, `waits` and `assignments` hold what the rules need, in
    the order in which it happened.
    """

    def __init__(
        self,
        entered: dict[str, list[Handling]],
        returned: dict[str, list[Handling]],
        *,
        pgid: int | None = None,
        sid: int | None = None,
    ) -> None:
        """Start with no process; `pgid` and `sid` are those that the command was started in."""
        self.processes: list[Process] = []
        self.born = 0
        """How many processes there were, with those that are forgotten (forgetting.py)."""
        self.settled: list[Finding] = []
        """Findings about what is forgotten."""
        self.assumed_failed: bool | None = None
        """How the run is taken to end as long as that is not known."""
        self.looks: list[Look] = []
        self.sent: list[Sent] = []
        self._sent_to: dict[int, list[Sent]] = defaultdict(list)
        self.waits: list[Wait] = []
        self.assignments: list[Assignment] = []
        self.ends_of_output: dict[tuple[int, int], float] = {}
        """When a process first read the end of what another one had written, by the indices of both."""
        self.wakes: dict[int, list[Wake]] = defaultdict(list)
        """What blocked, by thread id."""
        self.timers: dict[tuple[int, str], float] = {}
        """When the timers that a hook told of were armed, by thread id and key."""
        self.attempts: dict[int, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=MOST_ATTEMPTS))
        """(start, expiry) of every call that blocks for a limited time, also of those that a signal interrupted."""
        self.interrupted: dict[int, list[int]] = {}
        """Descriptors of a poll(2) that a signal has interrupted, by thread id."""
        self.cut_answers: dict[int, tuple[list[int], int, float]] = {}
        """Descriptors of a poll(2), how many of them were ready, and when, where not all of these are known."""
        self.scans: dict[int, float] = {}
        """When a thread last listed processes, by thread id."""
        self.channels: dict[str, Channel] = defaultdict(Channel)
        self.peers: dict[str, str] = {}
        self.holders: dict[int, Process] = {}
        """Who bound which port last."""
        self.creators: dict[str, Process] = {}
        """Who created which file."""
        self.missed: dict[tuple[int, str], float] = {}
        """When a process last looked for a file that was not there."""
        self.found: set[tuple[int, str]] = set()
        """Which process last found which file of another one in its place."""
        self.proc_reads: dict[tuple[int, int], Look] = {}
        self.threads: dict[int, Process] = {}
        self.dealing: set[int] = set()
        """Threads that have started, signalled or waited for a process."""
        self.living: dict[int, Process] = {}
        self.by_pid: dict[int, list[Process]] = defaultdict(list)
        self.windows = Windows()
        """Which test ran when, where the runner says so."""
        self.first: float | None = None
        self.last: float | None = None
        self._marks: dict[int, tuple[float, Mark]] = {}
        self._spawning: dict[int, Call] = {}
        self._nameless: list[Call] = []
        """Births in a PID namespace whose child has not shown itself: their result is a number of that namespace."""
        self._entered, self._returned = entered, returned
        self._pgid, self._sid = pgid, sid

    # --- records -----------------------------------------------------------------------------------------------

    def consume(self, record: Record) -> None:
        """Move the state on by one record."""
        if isinstance(record, Entered):
            self._see(record.call.tid, record.call.entered)
            self._enter(record.call)
        elif isinstance(record, Returned):
            self._see(record.call.tid, record.call.returned or record.call.entered)
            self._return(record.call)
        elif isinstance(record, Signalled):
            self._see(record.tid, record.time)
            self._deliver(record)
        elif isinstance(record, Ended):
            self._end(record)
        elif isinstance(record, Superseded):
            self._supersede(record)

    def consume_all(self, records: Iterable[Record]) -> None:
        """Move the state on by all of them."""
        for record in records:
            self.consume(record)

    @property
    def root(self) -> Process | None:
        """Return the command itself; None before its first record."""
        return self.processes[0] if self.processes else None

    # --- births ------------------------------------------------------------------------------------------------

    def process_of(self, tid: int, time: float) -> Process:
        """Return the process of a thread; one that was never announced is made, with what can be guessed."""
        known = self.threads.get(tid)
        if known is not None:
            return known
        # strace may print the child's first call before the end of its parent's clone.
        births = [*self._spawning.values(), *self._nameless]
        candidates = [call for call in births if call.tid in self.threads and "child" not in call.values]
        if len(candidates) == 1 or (candidates and all(self._bears_in_namespace(call) for call in candidates)):
            # Inside a PID namespace any of them does: all that matters of its parent is that it is in there too.
            call = candidates[0]
            call.values["child"] = tid
            self._nameless = [birth for birth in self._nameless if birth is not call]
            return self._born(tid, self.threads[call.tid], call, time)
        return self._new(tid, None, time)

    def _bears_in_namespace(self, call: Call) -> bool:
        parent = self.threads[call.tid]
        return parent.namespaced or parent.unshared_pids or "CLONE_NEWPID" in call.arguments

    def _see(self, tid: int, time: float) -> None:
        if self.first is None:
            self.first = time
        self.last = time
        if tid not in self.threads:
            self.process_of(tid, time)

    def _born(self, tid: int, parent: Process, call: Call, time: float) -> Process:
        if "CLONE_THREAD" in call.arguments:
            self.threads[tid] = parent
            return parent
        child = self._new(tid, parent, time)
        child.namespaced = child.namespaced or "CLONE_NEWPID" in call.arguments
        return child

    def _new(self, tid: int, parent: Process | None, time: float) -> Process:
        process = Process(index=self.born, pid=tid, spawned=time, parent=parent)
        if not self.processes:
            process.pgid, process.sid = self._pgid, self._sid
        self.processes.append(process)
        self.born += 1
        self.threads[tid] = self.living[tid] = process
        self.by_pid[tid].append(process)
        if parent is not None:
            self._adopt(parent, process)
        return process

    def _adopt(self, parent: Process, child: Process) -> None:
        child.parent = parent
        parent.children.append(child)
        child.argv = child.argv or parent.argv
        child.pgid, child.sid = child.pgid or parent.pgid, child.sid or parent.sid
        child.namespaced = child.namespaced or parent.namespaced or parent.unshared_pids
        own, child.knowledge = child.knowledge, Knowledge(parent.knowledge, child.spawned)
        child.knowledge.learn(own, child.spawned)
        if child.executed is None:
            child.born_handling = frozenset(parent.handlers)
        for name, handler in parent.handlers.items():
            child.handlers.setdefault(name, Handler(handler.time, own=False))

    # --- calls -------------------------------------------------------------------------------------------------

    def _enter(self, call: Call) -> None:
        process = self.process_of(call.tid, call.entered)
        if call.name in SPAWNING:
            self._spawning[call.tid] = call
        if call.name in DEALING and "CLONE_THREAD" not in call.arguments:
            self.dealing.add(call.tid)
        if process.namespaced and call.name in PID_CALLS:
            return
        for handle in self._entered.get(call.name, ()):
            handle(self, process, call)

    def _return(self, call: Call) -> None:
        process = self.process_of(call.tid, call.entered)
        if call.name in SPAWNING:
            self._spawned(process, call)
        elif call.name in MARKING and PREFIX in call.arguments:
            self._note_mark(process, call)
            return
        elif call.name in EXECUTING and call.result == 0:
            self._executed(process, call)
        if process.namespaced and call.name in PID_CALLS:
            return
        for handle in self._returned.get(call.name, ()):
            handle(self, process, call)

    def _spawned(self, parent: Process, call: Call) -> None:
        self._spawning.pop(call.tid, None)
        child = call.result
        if child is None or child <= 0 or call.values.get("child") == child:
            return
        if parent.namespaced:
            if "child" not in call.values:
                self._nameless.append(call)
            return
        known = self.threads.get(child) or self._ended_before(child, call)
        if known is None:
            self._born(child, parent, call, call.entered)
        elif "CLONE_THREAD" in call.arguments or known is parent or known is self.root:
            return
        elif known.parent is None and known.spawned >= call.entered:
            self._adopt(parent, known)

    def _ended_before(self, pid: int, call: Call) -> Process | None:
        """Return the child whose whole life strace has shown before the end of its parent's call."""
        last = self.find(pid)
        return last if last is not None and last.parent is None and last.spawned >= call.entered else None

    def _executed(self, process: Process, call: Call) -> None:
        arguments = split(call.arguments)
        argv = strings(arguments[1]) if len(arguments) > 1 else []
        process.argv = tuple(argv or strings(arguments[0])[:1])
        process.executed = call.returned
        # execve(2): handlers go back to the default, since their code is gone.
        process.handlers.clear()
        process.born_handling = frozenset()

    def _note_mark(self, process: Process, call: Call) -> None:
        for path in strings(call.arguments):
            mark = parse_mark(path)
            if mark is None:
                continue
            if mark.what in BOUNDARIES:
                self.windows.note(process, mark, call.entered)
            elif mark.what == "timer":
                self.timers[call.tid, mark.key] = call.entered
            elif mark.what == "fired":
                armed = self.timers.pop((call.tid, mark.key), None)
                if armed is not None:
                    self.note_wake(call.tid, Wake(call.entered, call.entered, True, armed))
            else:
                self._marks[call.tid] = (call.entered, mark)

    def take_mark(self, call: Call) -> Mark | None:
        """Return the mark that stands right before this call, once; else what its native stack says."""
        made, mark = self._marks.pop(call.tid, (0.0, None))
        return mark if mark is not None and call.entered - made < MARK_LIFE_S else native_mark(call.frames)

    def peek_mark(self, call: Call) -> Mark | None:
        """Return the mark that stands right before this call, and leave it for others."""
        made, mark = self._marks.get(call.tid, (0.0, None))
        return mark if mark is not None and call.entered - made < MARK_LIFE_S else None

    def wake_of(self, tid: int) -> Wake | None:
        """Return what released the thread last."""
        wakes = self.wakes.get(tid)
        return wakes[-1] if wakes else None

    def has_failed(self, process: Process, time: float) -> bool:
        """Tell whether the test that a process worked for at that moment failed; without a test, the command."""
        window = self.windows.of(process, time)
        if window is not None and window.failed is not None:
            return window.failed
        if self.assumed_failed is not None:
            return self.assumed_failed
        return self.root is not None and self.root.status not in (0, None)

    def is_scanning(self, tid: int) -> bool:
        """Tell whether the thread has listed processes since it last blocked: then it takes a picture of them all."""
        wake = self.wake_of(tid)
        return tid in self.scans and (wake is None or self.scans[tid] > wake.end)

    # --- signals and deaths ------------------------------------------------------------------------------------

    def find(self, pid: int) -> Process | None:
        """Return the process that has, or had last, this id."""
        known = self.by_pid.get(pid)
        return known[-1] if known else None

    def note_sent(self, sent: Sent) -> None:
        """Add a signal that was sent."""
        self.sent.append(sent)
        self._sent_to[sent.victim.index].append(sent)

    def sent_to(self, victim: Process) -> list[Sent]:
        """Return the signals that were sent to a process, in the order of time."""
        return self._sent_to.get(victim.index, [])

    def note_wake(self, tid: int, wake: Wake) -> None:
        """Add what released a thread: of those that were no pause, only the last is asked for."""
        wakes = self.wakes[tid]
        if wakes and not wakes[-1].pause:
            wakes[-1] = wake
        else:
            wakes.append(wake)

    def drop(self, gone: Container[int]) -> None:
        """Forget the processes with these indices, where they are still named."""
        for pid in {process.pid for process in self.processes if process.index in gone}:
            self.by_pid[pid] = [process for process in self.by_pid[pid] if process.index not in gone]
            if not self.by_pid[pid]:
                del self.by_pid[pid]
        self.processes = [process for process in self.processes if process.index not in gone]
        for process in self.processes:
            process.children = [child for child in process.children if child.index not in gone]
        self._sent_to = defaultdict(list, {index: sent for index, sent in self._sent_to.items() if index not in gone})
        self.holders = {port: holder for port, holder in self.holders.items() if holder.index not in gone}
        self.ends_of_output = {
            pair: time for pair, time in self.ends_of_output.items() if pair[0] not in gone and pair[1] not in gone
        }
        self.found = {(index, path) for index, path in self.found if index not in gone and path in self.creators}
        self.proc_reads = {key: look for key, look in self.proc_reads.items() if key[0] not in gone}

    def group(self, pgid: int | None) -> list[Process]:
        """Return the living members of a process group."""
        return [process for process in self.living.values() if process.pgid == pgid]

    def _deliver(self, record: Signalled) -> None:
        process = self.threads[record.tid]
        if record.signal in HARMLESS:
            return
        process.deliveries.append(Delivery(record.time, record.signal, record.sender))

    def _end(self, record: Ended) -> None:
        self.last = record.time
        process = self.threads.pop(record.tid, None)
        if process is None or process.pid != record.tid:
            return
        process.exited, process.status, process.killed_by = record.time, record.status, record.signal
        if record.signal:
            number = getattr(signals, record.signal, None)
            process.status = -int(number) if number is not None else None
        self.living.pop(process.pid, None)
        adopter = next((above for above in process.ancestors() if above.subreaper and above.exited is None), None)
        for child in process.children:
            if child.reaped is None:
                child.adopted_by = adopter
        for tid in [record.tid, *(tid for tid, owner in self.threads.items() if owner is process)]:
            self.threads.pop(tid, None)
            self.attempts.pop(tid, None)
            self.interrupted.pop(tid, None)
            self.cut_answers.pop(tid, None)
            self.dealing.discard(tid)
            self.scans.pop(tid, None)

    def _supersede(self, record: Superseded) -> None:
        # The thread that called execve now has the process's own id: strace goes on under that id.
        process = self.threads.get(record.tid) or self.threads.get(record.by)
        self.threads.pop(record.by, None)
        if process is not None:
            self.threads[process.pid] = process

    # --- knowledge ---------------------------------------------------------------------------------------------

    def reap(self, waiter: Process, pid: int, time: float) -> Process | None:
        """Note that `waiter` has reaped its child `pid`; it now knows that, and all that the child knew."""
        child = self.find(pid)
        if child is None or child.reaped is not None:
            return None
        child.reaped, child.reaped_by = time, waiter
        if child.exited is None:  # strace reports the end of a thread late when another tracer event came first
            child.exited = time
            self.living.pop(pid, None)
        # A signal ended it, so what it learned after that was sent has not caused its end: a shell may reap its own
        # child before it dies of the same SIGTERM, or not.
        until = self._doomed(child) if child.killed_by else time
        waiter.knowledge.learn_until(child.knowledge, until, time)
        self.tell_end(waiter, child, time)
        waiter.knowledge.tell((FactKind.REAP, child.index, ""), time)
        return child

    def tell_end(self, process: Process, ended: Process, time: float) -> None:
        """Note that a process has learned of another's end.

        The end of the first process of a PID namespace is the end of all of them: the kernel kills and reaps the others
        before (pid_namespaces(7)).
        """
        process.knowledge.tell((FactKind.EXIT, ended.index, ""), time)
        if ended.namespaced and ended.parent is not None and not ended.parent.namespaced:
            for member in self.processes:
                if member.namespaced and member.index > ended.index and ended in member.ancestors():
                    process.knowledge.tell((FactKind.EXIT, member.index, ""), time)
                    process.knowledge.tell((FactKind.REAP, member.index, ""), time)

    def _doomed(self, child: Process) -> float:
        """Return when the signal that ended a process was sent, or delivered when nobody of the trace sent it."""
        sent = [one.time for one in self.sent_to(child) if one.signal == child.killed_by]
        delivered = [one.time for one in child.deliveries if one.signal == child.killed_by]
        return min(sent + delivered, default=child.exited or child.spawned)

    def channel(self, name: str) -> Channel:
        """Return the channel of that name; both ends of a socket pair are one."""
        return self.channels[self.peers.get(name, name)]


def number_argument(call: Call, position: int) -> int | None:
    """Return an argument of the call that is a number; None when it is not there."""
    arguments = split(call.arguments)
    return integer(arguments[position]) if position < len(arguments) else None
