"""What a trace tells of the processes, and what each of them can know of the others' ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from flakehunter.trace.knowledge import FactKind, Heard, Knowledge
from flakehunter.trace.marks import Mark

__all__ = [
    "Assignment",
    "Delivery",
    "Handler",
    "Look",
    "LookKind",
    "Process",
    "Sent",
    "Wait",
    "Wake",
]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signal that reached a process."""

    time: float
    signal: str
    sender: int | None


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler for a signal; `own` is False when it came from the parent with fork."""

    time: float
    own: bool


@dataclass(slots=True)
class Process:
    """One process, from its birth to its reaping; threads belong to it. All times are seconds since the epoch."""

    index: int
    """Order of creation in the trace, 0 for the command itself."""
    pid: int
    spawned: float
    parent: "Process | None" = None
    argv: tuple[str, ...] = ()
    executed: float | None = None
    """When it last became another program."""
    pgid: int | None = None
    sid: int | None = None
    left_group: str = ""
    """`setsid` or `setpgid`, when it left the group it was born in."""
    left_at: float | None = None
    exited: float | None = None
    status: int | None = None
    """As Popen.returncode has it: negative for a signal."""
    killed_by: str = ""
    subreaper: bool = False
    """Whether orphans below it come to it (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    adopted_by: "Process | None" = None
    """The subreaper that it came to when its parent ended; None for init, or while the parent lives."""
    unshared_pids: bool = False
    """Whether its further children are in a PID namespace of their own."""
    namespaced: bool = False
    """Whether it is in a PID namespace that the run has made."""
    reaped: float | None = None
    reaped_by: "Process | None" = None
    survived: bool = False
    """Whether it was still alive some time after the command's end."""
    knowledge: Knowledge = field(default_factory=Knowledge)
    by_signal: Heard = field(default_factory=Heard)
    """What senders of its signals knew."""
    handlers: dict[str, Handler] = field(default_factory=dict)
    born_handling: frozenset[str] = frozenset()
    """Signals that it had handlers for from its birth on; none any more once it has become another program."""
    deliveries: list[Delivery] = field(default_factory=list)
    children: "list[Process]" = field(default_factory=list)
    installed: list[tuple[float, str]] = field(default_factory=list)
    """(when, signal) of every handler that it set itself."""
    removed: dict[str, float] = field(default_factory=dict)
    """Files that it has removed, and when."""
    created: dict[str, float] = field(default_factory=dict)
    """Files that it has made, and when."""
    told: float | None = None
    """When a read from a pipe or socket last returned: from then on it may do something because it was told to."""
    pid_descriptors: dict[int, int] = field(default_factory=dict)
    """Process ids of its pidfds: the process may show itself later, where its birth is not seen."""
    listed: dict[int, list[float]] = field(default_factory=dict)
    """When it was in a list of processes that another one took, by that one's index."""
    asked: dict[int, float] = field(default_factory=dict)
    """When its entry in /proc was last read by one that had opened a pidfd of it just before, by that one's index."""
    awaited: dict[int, float] = field(default_factory=dict)
    """When a pidfd of a process was last seen readable, or nobody was left to wait for, by that process's index."""
    deadlines: dict[int, tuple[float, float]] = field(default_factory=dict)
    """(start, length) of the wait for a process that a hook told of at its pidfd, by that process's index."""

    @property
    def command(self) -> str:
        """Return its command line, words joined by spaces."""
        return " ".join(self.argv) or f"pid {self.pid}"

    def ancestors(self) -> "Iterator[Process]":
        """Yield its parent, its parent's parent and so on, as they were at birth."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent

    def knows(
        self, kind: FactKind, about: "Process", detail: str = "", *, at: float, pause: "Wake | None" = None
    ) -> bool:
        """Tell whether it had learned the fact by the time `at`, and not while `pause` was running.

        What it learned during a pause has not ended the pause: it goes on because time is over. What it learned later
        may well be why it goes on (another thread that told it so, through memory, is not in a trace).
        """
        fact = (kind, about.index, detail)
        told = self.by_signal.get(fact)
        if told is not None and told <= at:
            return True  # a handler runs at once, also during a pause, and it was sent on purpose
        learned = self.knowledge.get(fact)
        if learned is None or learned > at:
            return False
        return pause is None or not pause.armed < learned <= pause.end

    def delivered(self, *, before: float) -> Delivery | None:
        """Return the first signal that could end it, delivered before that time."""
        return next((delivery for delivery in self.deliveries if delivery.time <= before), None)


class LookKind(StrEnum):
    """How a process looks whether another one, or what it holds, is still there."""

    KILL = "kill(pid, 0)"
    WAIT = "wait with WNOHANG"
    PROC = "/proc entry"
    PROC_STATE = "state in /proc"
    PORT = "bind"
    FILE = "file"
    """A file that the victim removes."""
    RESULT = "result"
    """A file that the victim makes."""


@dataclass(frozen=True, slots=True)
class Wake:
    """A thread came back from a call that blocked."""

    start: float
    end: float
    pause: bool
    """Whether time ran out; otherwise something happened."""
    armed: float
    """When the pause was decided on: at its start or earlier. Whatever was learned since has not caused the wake-up."""

    @property
    def length_s(self) -> float:
        """Return how long the thread paused since it had decided to."""
        return self.end - self.armed


@dataclass(slots=True)
class Look:
    """One look; `alive` is its answer. `wake` is the last thing that released the looking thread."""

    time: float
    looker: Process
    victim: Process
    kind: LookKind
    alive: bool
    target: str = ""
    """The port or file, for looks at what the victim holds."""
    tid: int = 0
    wake: Wake | None = None
    mark: Mark | None = None

    @property
    def pause(self) -> Wake | None:
        """Return the pause that came before this look, if it was one that released the thread last."""
        return self.wake if self.wake is not None and self.wake.pause else None


@dataclass(slots=True)
class Sent:
    """A signal that one process sent to another (each member of a group is one)."""

    time: float
    sender: Process
    victim: Process
    signal: str
    group: bool = False
    tid: int = 0
    wake: Wake | None = None
    mark: Mark | None = None

    @property
    def pause(self) -> Wake | None:
        """Return the pause that came before this signal, if it was one that released the thread last."""
        return self.wake if self.wake is not None and self.wake.pause else None


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait with a deadline that ended because something happened."""

    waiter: Process
    tid: int
    start: float
    end: float
    timeout_s: float
    follows: bool = False
    """Whether it began when another time of its thread had just run out, as a heartbeat does."""
    by_stranger: bool = False
    """Whether its thread never started, signalled or waited for a process."""

    @property
    def expiry(self) -> float:
        """Return when time would have run out."""
        return self.start + self.timeout_s


@dataclass(frozen=True, slots=True)
class Assignment:
    """A process was put into a container, a limit or a group by another one."""

    time: float
    caller: Process
    target: Process
    how: str
    failed: bool
    mark: Mark | None = None
