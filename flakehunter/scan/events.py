"""What a function does to processes, in any language: events, and the little control flow that orders them.

`lowering` makes these from a syntax tree, `rules` reads them; nothing here knows a language.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of events."""

    BUILD = "build"
    """A command is described but not started: Go's `exec.Command`, Java's `ProcessBuilder`."""
    SPAWN = "spawn"
    SIGNAL = "signal"
    WAIT = "wait"
    LOOK = "look"
    SLEEP = "sleep"
    BIND = "bind"
    """A resource is taken or removed: a port, a lock or pid file, a directory."""
    ASSIGN = "assign-to-job"
    READY = "ready-wait"
    USE = "use"
    """Something that needs a ready child: a connection, its pid file."""
    REAPER = "reaper"
    """Somebody is set to reap children: Process.detach, a handler of SIGCHLD."""
    EFFECT = "effect"
    """An assertion on what the process leaves behind: a file that has to be there."""
    ELAPSED = "elapsed"
    """An assertion that something took no longer than `timeout_s`."""
    AWAIT = "await"
    """Something is awaited of which nothing more is known."""
    GATE = "gate"
    """The child is let go on by us (a byte on its stdin, ResumeThread): it cannot have ended before."""


class Scope(StrEnum):
    """Whom a signal reaches."""

    LEADER = "leader"
    GROUP = "group"
    TREE = "tree"
    OPAQUE = "opaque"
    """Somebody else decides: an abort controller, a context, a runner under test."""


class Alive(StrEnum):
    """What a look answers for a process that lives."""

    TRUE = "true"
    FALSE = "false"
    NULL = "null"
    """null for alive, a status for dead: Popen.poll, try_wait, exitCode."""
    ZERO = "zero"
    """0 for alive, as kill(2) and shells say it."""
    PID = "pid"
    """0 for alive, its pid for dead: waitpid with WNOHANG."""
    NO_ERROR = "no-error"
    """An exception or error value for dead."""


class Expect(StrEnum):
    """What the code around a look demands of its answer."""

    DEAD = "dead"
    ALIVE = "alive"
    VALUE = "value"
    """Stored, returned or passed on: whoever reads it decides."""
    NEUTRAL = "neutral"
    """A branch that ends nothing in failure, such as an escalation to SIGKILL."""
    LOOP = "loop"
    """The condition of a loop."""
    OUTLASTED = "outlasted"
    """The condition of a loop that goes on while the process lives."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens to the process that `names` may mean, at `line` (1-based)."""

    kind: Kind
    line: int
    names: tuple[str, ...] = ()
    text: str = ""
    """The source of the call, for what has no field of its own: command words, flags."""
    scope: Scope = Scope.LEADER
    signal: str = "TERM"
    alive: Alive = Alive.TRUE
    counts_zombies: bool = False
    by_pid: bool = False
    """The look is given a pid, so it is about a process whatever that is called."""
    expect: Expect = Expect.VALUE
    timeout_s: float | None = None
    limit_name: str = ""
    """The variable that holds the time limit, where it is no constant."""
    reaps: bool = True
    tolerant: bool = False
    """A failure here is handled: the assignment is caught, the time-out escalates."""
    instead: "Call | None" = None
    """The same source as a call: it is one when the receiver is an object of the project's own."""
    silent: bool = False
    """A wait that says nothing when its time is up, and whose answer nobody reads."""
    demanded: bool = False
    """A wait that fails the test when its time is up."""
    to_program: bool = False
    """The pid is given to another program, which needs the process to be there."""
    beside: bool = False
    """A start that only is one where it happens beside the rest: else it is run to its end."""
    of_wrapper: bool = False
    """Only counts for objects of the project's own, not for a child that was started here."""
    needs_known: bool = False
    """Only counts when `names` means a process seen before: the call was recognised by its name alone."""


@dataclass(frozen=True, slots=True)
class Store:
    """`targets = value`: the new names mean the process that `value` starts, or the one that `names` mean."""

    line: int
    targets: tuple[str, ...]
    value: "Flow"
    names: tuple[str, ...]
    derived: bool = False
    """The value was read from a pipe or file: another process, which the named one made."""
    from_file: bool = False
    members: bool = False
    """The value is the list of processes that the named one has started."""
    of_pid: bool = False
    """The value is a handle of the process whose pid `names` hold: psutil.Process(pid), os.FindProcess(pid)."""
    says: bool | None = None
    """The value is written out: true or false."""


@dataclass(frozen=True, slots=True)
class Use:
    """A variable that may hold the answer of an earlier look is asserted or branched on."""

    line: int
    names: tuple[str, ...]
    text: str
    """The asserting source with the variable written as `@`."""
    branch: str
    """`assert`, `then-fails`, `else-fails` or empty."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is no idiom: perhaps a helper of the project. `args` holds the names of each argument."""

    line: int
    name: str
    path: str
    receiver: tuple[str, ...]
    args: tuple[tuple[str, ...], ...]
    expect: Expect
    text: str
    awaited: bool = False
    given: tuple[str, ...] = ()
    """The source of each argument."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Alternatives, of which one is taken; `jumps[i]` says that the i-th leaves the sequence."""

    alternatives: tuple["Flow", ...]
    jumps: tuple[bool, ...]
    fails: tuple[bool, ...] = ()
    """The i-th makes the test fail: what it signals is cleaned up, and no stronger signal."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop; `polls` when it looks again and again until the answer changes, for `deadline_s` at most."""

    line: int
    body: "Flow"
    polls: bool
    deadline_s: float | None = None
    names: tuple[str, ...] = ()
    """Names in the condition: a poll through a helper that could not be resolved."""
    demanded: bool = False
    """What follows makes the test fail when the time of the poll is up."""
    until_alive: bool = False
    """It is left when the process is found to live."""
    limit_name: str = ""
    """The parameter that holds its deadline, where it is no constant, and what a bare number of it counts in."""
    limit_unit_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Aside:
    """A body that runs beside or after the rest: a callback, a thread, a clean-up."""

    body: "Flow"
    deferred: bool = False
    """Runs at the end of the function (defer, finally of a fixture) and not beside it."""
    of_helper: bool = False
    """A helper's own end is meant (Go's defer), and not that of the test that calls it."""


@dataclass(frozen=True, slots=True)
class Return:
    """The function gives back the process that `names` mean; `yields` for fixtures and context managers."""

    names: tuple[str, ...]
    yields: bool = False


Step = Event | Store | Use | Call | Branch | Loop | Aside | Return
Flow = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function or test body, lowered."""

    name: str
    language: str
    line: int
    parameters: tuple[str, ...]
    flow: Flow
    strings: str = ""
    """All string literals of the body: the scripts it starts."""
    is_fixture: bool = False
    retries: bool = False
    """A decorator runs it again until it passes."""
    asks_status: bool = False
    """It demands an exit status that only a child which handles the signal has: 0, or 128 and its number."""
    asks_zero: bool = False
    """It demands the exit status 0."""
    announces_early: bool = False
    """A script in it says that it runs before it sets its handler."""
    auto_reaps: bool = False
    """The runtime reaps children by itself (Node, JVM, .NET)."""
    reaps: bool = True
    """Something in its file reaps children, or may."""
    end_line: int = 0
    source: str = ""
    """Its text, where it pauses."""
    file: str = ""
    constants: dict[str, str] = field(default_factory=dict)
    """Constants of the module that the function names, with their source."""
    defaults: dict[str, str] = field(default_factory=dict)
    """The source of what parameters are when they are not given."""
    hooks: "tuple[Function, ...]" = ()
    """Set-up that the test runner calls before this test: setUp, beforeEach, …"""


def walk(flow: Flow) -> Iterator[Step]:
    """Yield every step of `flow`, outer ones first."""
    for step in flow:
        yield step
        match step:
            case Store(value=inner) | Loop(body=inner) | Aside(body=inner):
                yield from walk(inner)
            case Branch(alternatives=alternatives):
                for alternative in alternatives:
                    yield from walk(alternative)
            case _:
                pass


def events(flow: Flow, *kinds: Kind) -> Iterator[Event]:
    """Yield the events of `flow` that are of one of `kinds`."""
    for step in walk(flow):
        if isinstance(step, Event) and step.kind in kinds:
            yield step
