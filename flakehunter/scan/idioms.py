"""How an idiom of an ecosystem is written down, and the idioms that all languages share: commands and plain names."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from flakehunter.scan.events import Alive, Kind, Scope


@dataclass(frozen=True)
class Idiom:
    """A call (or property) whose dotted path matches `pattern` and whose source matches `needs` is an event.

    `who` says where the process is named: `receiver`, an argument (`0`, `1`, …, `-1`), `args` for any argument,
    `new` for a process that the call makes, `none`. `timeout` is the index of the argument with a time limit, or
    the name of a keyword; it counts in the language's unit.
    """

    kind: Kind
    pattern: str
    who: str = "receiver"
    needs: str = ""
    unless: str = ""
    scope: Scope = Scope.LEADER
    signal: str = ""
    """The signal's name, where the call itself says it; else it is read from the source."""
    alive: Alive = Alive.TRUE
    counts_zombies: bool = False
    timeout: int | str | None = None
    reaps: bool = True
    silent: bool = False
    """A wait that only answers whether its time was up: nothing fails where nobody reads that."""
    known: bool = False
    """Only counts for a process that was seen before."""
    matcher: bool = False
    """A look that asserts by itself: `expect(child).not_to be_alive`."""
    run: bool = False
    """Runs a command to its end: no process is left, but the command may be `kill` or `ps`."""

    @cached_property
    def matches(self) -> re.Pattern[str]:
        """`pattern`, anchored at its end and at the start of a path's part."""
        return re.compile(rf"(?:^|(?<=[.\s(]))(?:{self.pattern})$")

    @cached_property
    def _needs(self) -> re.Pattern[str] | None:
        return re.compile(self.needs) if self.needs else None

    @cached_property
    def _unless(self) -> re.Pattern[str] | None:
        return re.compile(self.unless) if self.unless else None

    def accepts(self, source: str) -> bool:
        """Whether a call whose path matches, with this `source`, is the idiom."""
        return (self._needs is None or bool(self._needs.search(source))) and (
            self._unless is None or not self._unless.search(source)
        )


def build(pattern: str, **more: object) -> Idiom:
    """A command is described."""
    return Idiom(Kind.BUILD, pattern, who="new", **more)  # type: ignore[arg-type]


def spawn(pattern: str, who: str = "new", **more: object) -> Idiom:
    """A process is started; `who="receiver"` for commands that were built before."""
    return Idiom(Kind.SPAWN, pattern, who=who, **more)  # type: ignore[arg-type]


def run(pattern: str, **more: object) -> Idiom:
    """A command is run to its end."""
    return Idiom(Kind.SPAWN, pattern, who="none", run=True, **more)  # type: ignore[arg-type]


def signal(pattern: str, who: str = "receiver", **more: object) -> Idiom:
    """A process is signalled."""
    return Idiom(Kind.SIGNAL, pattern, who=who, **more)  # type: ignore[arg-type]


def wait(pattern: str, who: str = "receiver", **more: object) -> Idiom:
    """Blocks until a process has ended."""
    return Idiom(Kind.WAIT, pattern, who=who, **more)  # type: ignore[arg-type]


def look(pattern: str, who: str = "receiver", alive: Alive = Alive.TRUE, **more: object) -> Idiom:
    """Asks whether a process lives, without waiting."""
    return Idiom(Kind.LOOK, pattern, who=who, alive=alive, **more)  # type: ignore[arg-type]


def pause(pattern: str, **more: object) -> Idiom:
    """Sleeps for a fixed time."""
    return Idiom(Kind.SLEEP, pattern, who="none", **{"timeout": 0, **more})  # type: ignore[arg-type]


def ready(pattern: str, who: str = "none", **more: object) -> Idiom:
    """Waits until a child has said or shown that it runs."""
    return Idiom(Kind.READY, pattern, who=who, **more)  # type: ignore[arg-type]


def bind(pattern: str, **more: object) -> Idiom:
    """Takes or removes a resource."""
    return Idiom(Kind.BIND, pattern, who="args", **more)  # type: ignore[arg-type]


def assign(pattern: str, who: str = "args", **more: object) -> Idiom:
    """Puts a process that runs already into a job or cgroup."""
    return Idiom(Kind.ASSIGN, pattern, who=who, **more)  # type: ignore[arg-type]


def use(pattern: str, **more: object) -> Idiom:
    """Uses something that only a ready child offers."""
    return Idiom(Kind.USE, pattern, who="args", **more)  # type: ignore[arg-type]


def reaper(pattern: str, who: str = "none", **more: object) -> Idiom:
    """Sets somebody to reap children."""
    return Idiom(Kind.REAPER, pattern, who=who, **more)  # type: ignore[arg-type]


def effect(pattern: str, **more: object) -> Idiom:
    """Looks at what a process leaves behind."""
    return Idiom(Kind.EFFECT, pattern, who="none", **more)  # type: ignore[arg-type]


def gate(pattern: str, who: str = "receiver", **more: object) -> Idiom:
    """Lets a held child go on."""
    return Idiom(Kind.GATE, pattern, who=who, **more)  # type: ignore[arg-type]


SIGNAL_NAME = re.compile(
    r"\bSIG(?!NAL)_?([A-Z]+\d?)\b|['\":](?:SIG)?(TERM|KILL|INT|HUP|QUIT|ABRT|USR1|USR2|STOP|CONT|EXIT|WINCH|CHLD|0)\b"
    r"|[-\s](TERM|KILL|INT|HUP|QUIT|USR1|USR2|STOP|CONT)\b|Signal::(?:SIG)?([A-Z][A-Za-z]+\d?)\b"
)
_NUMBERS = {"1": "HUP", "2": "INT", "3": "QUIT", "6": "ABRT", "9": "KILL", "10": "USR1", "12": "USR2", "15": "TERM",
            "18": "CONT", "19": "STOP"}  # fmt: skip
HARMLESS = frozenset({"STOP", "CONT", "TSTP", "WINCH", "CHLD", "URG", "0", "USR1", "USR2", "INFO", "PIPE", "ALRM"})
"""Signals after which the process is not expected to end, for what an outsider can know."""


def signal_name(source: str, default: str = "TERM") -> str:
    """Return the signal that a call's source names, without `SIG`; `default` where it names none."""
    found = SIGNAL_NAME.search(source)
    if found:
        name = next(group for group in found.groups() if group)
        return "KILL" if name.lower() in ("kill", "sigkill") else name.upper().removeprefix("SIG")
    number = re.search(r"[,(\s-](\d{1,2})\s*(?:\)|,|$)", source)
    return _NUMBERS.get(number[1], default) if number else default


# ---- commands that programs run: the words of `kill -9 PID`, `ps -p PID`, `taskkill /T /PID PID` ----

_WORDS = re.compile(r"[\"'`,\[\]()\s]+")
_BETWEEN = frozenset([".arg", ".args", "&", "vec!", "new", "String[]"])
"""What languages write between the words of a command."""
_KILL = re.compile(r"(?:^|[/\s;&|])(?:kill|/bin/kill)\s+(?!-0\b|-s\s+0\b|-l\b)(?=[-\w$%{#])")
_LIMITS = {
    **dict.fromkeys(("prlimit", "taskset", "ionice", "chrt"), r"(?:.*\s)?(?:-\w*p|--pid)\b"),
    "renice": r".*-p\b",
    "cgclassify": "",
    "nsenter": r".*(?:-t|--target)\b",
}
"""Programs that change or enter a process that runs already, and the option that names it: they fail once it ended."""
_KILL_BY_NAME = re.compile(r"(?:^|[/\s;&|])(?:pkill|killall|skill)\s+(?!-0\b)")
_KILL_TREE = re.compile(r"(?:^|[/\s;&|])taskkill(?:\.exe)?\s|Stop-Process\b|wmic\s+process\b.*\bdelete", re.IGNORECASE)
_LOOK = re.compile(
    r"(?:^|[/\s;&|])(?:kill\s+(?:-0|-s\s+0)\b|ps\s+(?!-?[a-z]*[ \w]*-C)|pgrep\s|pidof\s|tasklist\b|lsof\s)|test\s+-[de]\s+/proc/|Get-Process\b"  # noqa: E501
)

_LIMIT = re.compile(r"^\S{0,20}?(?:" + "|".join(rf"{program}\s{option}" for program, option in _LIMITS.items()) + ")")


@dataclass(frozen=True, slots=True)
class Command:
    """What a command line does to a process: `kind` is SIGNAL, LOOK or ASSIGN."""

    kind: Kind
    scope: Scope = Scope.LEADER
    signal: str = "TERM"


def command(source: str) -> Command | None:
    """Return what the command line in a call's source does to another process; None where it does nothing such."""
    if not any(
        word in source for word in ("kill", "ps", "pgrep", "pidof", "tasklist", "/proc/", "Process", "lsof", *_LIMITS)
    ):
        return None
    quoted = re.search(r"[\"'`\[](.*)", source, re.DOTALL)
    words = " ".join(w for w in _WORDS.split(quoted[1]) if w not in _BETWEEN).strip() if quoted else ""
    # Shell scripts that end themselves or their own children are scripts, not signals of ours.
    if not words or re.search(r"\$\$|\$!|\btrap\b|\bwait\b", words) or len(words) > 200:
        return None
    if "sleep " in words and not words.startswith(("pkill ", "killall ", "pgrep ")):
        return None
    if not re.match(r"(?:sudo |env |cmd(?:\.exe)? /c |(?:/bin/)?(?:ba)?sh -l?c |/usr)?\S{0,20}?(?:p?kill|taskkill|killall|ps|pgrep|"  # noqa: E501
                    r"pidof|tasklist|lsof|test|powershell|" + "|".join(_LIMITS) + r")\b", words):  # fmt: skip
        return None
    if _LIMIT.search(words):
        return Command(Kind.ASSIGN)
    if _LOOK.search(words):
        return Command(Kind.LOOK)
    if _KILL_TREE.search(words):
        scope = Scope.TREE if re.search(r"\s/t\b", words, re.IGNORECASE) else Scope.LEADER
        return Command(Kind.SIGNAL, scope, "KILL")
    if _KILL_BY_NAME.search(words):
        return Command(Kind.SIGNAL, Scope.OPAQUE, signal_name(words))
    if _KILL.search(words):
        group = re.search(r"kill\s+(?:-\S+\s+)*(?:--\s+)?-(?:[$#%{]|\d{3,})(?!\S*\s+[$#%{])", words)
        return Command(Kind.SIGNAL, Scope.GROUP if group else Scope.LEADER, signal_name(words))
    return None


SLEEPS = re.compile(r"(?:^|[;&|(\"'`])\s*sleep[\"',\s]+(\d+(?:\.\d+)?)")
"""A command that pauses: `system("sleep 1")`, `run("stop && sleep 2")`."""
BESIDE = re.compile(r"(?<![&>|])&\s*(?:(?:echo|printf)\s+\\?\$!;?\s*)?\)?[\"'`]")
"""A command that a shell starts in the background, and does not wait for."""
AWAY = re.compile(r"(?<![&>])&(?![&>])|\btimeout\b|\btrap\b")
"""What is started beside it, or cut short."""

# ---- names that say what a function does, for those whose source is not at hand ----

WAITING = re.compile(
    r"(?:^|_)(?:wait|await|join|reap|communicate|drain|shutdown|stop|close|cleanup|clean_up|teardown|expect_exit|"
    r"assert_exits|ensure_(?:dead|gone|stopped|exited)|block_until|poll_until)(?:_|\b|$)"
    r"|(?:wait|Wait|await|Await|join|Join|stop|Stop|Shutdown|shutdown|[Cc]lose|reap|Reap)(?:$|[A-Z_(]|For|Until|Pid|ed)|"
    r"(?:AndWait|_and_wait|AndReap|ToCompletion|_to_completion|Gracefully|Eventually|eventually|UntilExit|UntilDead|until_)",
)
WAITS_CALL = re.compile(r"(?i)\b\w*(?:wait|eventually|until|poll)\w*\(")
"""The source of a call that waits, by its name."""
POLLING = re.compile(
    r"(?:^|[._])(?:eventually|wait_?until|wait_?for\w*|poll|retry|retrying|busy_retry|sleeping_retry|until|within|"
    r"await_\w+|spin|try_until|assert_eventually|consistently_until|keep_trying|repeat_until)$"
    r"|(?:[eE]ventually|waitUntil|waitFor|WaitFor|WaitUntil|pollUntil|PollUntil|retryUntil|pWaitFor|[rR]etry|SpinWait\.SpinUntil|"
    r"poll\.WaitOn|until|untilAsserted|untilTrue|untilFalse|WaitOn|Poll|wait_for_condition|EventuallyWithT|try_wait_for)\w*$",
)
STOPPING = re.compile(
    r"(?:^|_)(?:stop|shutdown|shut_down|close|dispose|cancel|kill|terminate|abort|quit|halt|destroy|interrupt|teardown|cleanup|disconnect)"
    r"(?:$|[_!]|[A-Z])|(?:^|[a-z_])(?:Stop|ShutDown|Shutdown|Close|Dispose|Cancel|Kill|Terminate|Abort|Quit|Halt|Destroy)(?:$|[A-Z])"
)
"""Calls that are to end something; whether they wait for its end cannot be told from the name."""
READYING = re.compile(
    r"wait|[rR]eady|until|poll|read|recv|gets|scan|expect|connect|accept|handshake|listen|line|event|acquire|barrier|"
    r"sync|Read|Scan|Wait|Line|Recv|Poll|Accept|Connect|notify|communicate|health|ping|output",
)
ALIVE_NAME = re.compile(
    r"(?:^|[._])(?:is_?)?(?:process_?|proc_?|pid_?|child_?)?(?:alive|running|exists?)\??$"
    r"|(?:is|does|process|pid|proc)\w*(?:Alive|Running|Exists?|Up|_alive|_running|_exists?|_up)\??$"
    r"|^(?:Alive|Running)$|^(?:alive|running|exists)(?:_?p(?:id|rocess))\??$|[a-z](?:Alive|_alive\??)$"
    r"|^(?:is|are|any|check)_?\w*(?:alive|running|exists?)_?(?:by|with|for|on)_\w+$|^is\w*(?:Alive|Running)(?:By|With|For|On)[A-Z]\w*$"
)
LISTING = re.compile(
    r"(?:^|_)(?:pgrep|pidof)(?:$|_)|^(?:pgrep|pidof)[A-Z]|"
    r"^_{0,2}(?:list|find|get|running|live|alive|active|current|matching)_?(?:\w+_)?(?:pids|processes|procs)(?:$|_(?:of|by|for|in|named|with)\w*$)|"
    r"^(?:list|find|get|running|live|alive|active)\w*(?:Pids|PIDs|Processes|Procs)(?:$|(?:Of|By|For|In|Named|With)[A-Z]\w*$)"
)
"""Functions that answer the processes which are there: asked for one, or for none, they are a look."""
DEAD_NAME = re.compile(
    r"(?:^|_|is|Is|process|pid)_?(?:dead|gone|exited|terminated|finished|Dead|Gone|Exited|Terminated|Finished)\??$|HasExited$"
)
KILLING = re.compile(
    r"^(?:_?(?:force_?|task_?|tree_?|f)?(?:kill|terminate|abort|destroy|sigterm|sigkill|interrupt)(?:$|_|[A-Z]))|"
    r"(?:kill_(?:tree|group|process|all|pid|proc\w*)|[kK]ill(?:[A-Z]\w*)?(?:Tree|Group|Process(?:es)?|All|Pids?|Procs?|Children)|terminate_\w+)$"
)
STARTING = re.compile(r"^_?(?:[sS]tart|[sS]pawn|[lL]aunch)\w*(?:[pP]rocess|[cC]hild|[pP]roc|[sS]leeper|[cC]ommand)$")
"""Calls that answer a process which they have started."""
LIMITED = re.compile(r"\b(?:timeout|time_limit|grace|deadline|wait)\w*[\"']?\s*(?:=(?!=)|:|=>)", re.IGNORECASE)
"""A call that is given a time limit waits, whatever it does first."""
FORCED = re.compile(r"^\.terminate\(\s*force")
"""pexpect's and ptyprocess's terminate: they look after each signal, and use SIGKILL if forced to."""
READING_FILE = re.compile(
    r"read_text|readFile|ReadFile|^File\.read|^IO\.read|read_to_string|file_get_contents|^Files\.|ReadAllText|readText|read_bytes|^fs\.|^os\.Read|slurp"
)
"""Reading a file says nothing of a child: it may hold what was there before."""
READING_PID = re.compile(
    r"(?i)(?:read|wait_?for)\w*pid|pid\w*from|get\w*(?:child|worker|grandchild)\w*pid|(?:child|grandchild|worker)_?pids?$"
)


_REPEATS = re.compile(r"wait|until|poll|eventually|retry|spin", re.IGNORECASE)
_PATIENT = re.compile(r"wait|until|poll|eventually|ensure|retry", re.IGNORECASE)


@lru_cache(maxsize=50_000)
def looks(name: str) -> bool:
    """Whether the name of a function says that it looks once whether a process lives: `is_alive`, but not `wait_gone`."""  # noqa: E501
    return bool(ALIVE_NAME.search(name) or DEAD_NAME.search(name)) and not _PATIENT.search(name)


@lru_cache(maxsize=50_000)
def lists(name: str) -> bool:
    """Whether the name of a function says that it answers the processes which are there: `find_pids`, `_pgrep`."""
    return LISTING.search(name) is not None and not _PATIENT.search(name)


@lru_cache(maxsize=50_000)
def speaks(name: str) -> bool:
    """Whether the name of an unknown function says something that the rules use."""
    patterns = (STARTING, ALIVE_NAME, DEAD_NAME, LISTING, POLLING, KILLING, WAITING, READYING, STOPPING)
    return name in ADDING or any(pattern.search(name) for pattern in patterns)


@lru_cache(maxsize=50_000)
def polls(dotted: str) -> bool:
    """Whether a call with this path repeats what it is given until it holds."""
    return POLLING.search(dotted) is not None


@lru_cache(maxsize=50_000)
def polls_closure(dotted: str) -> bool:
    """Whether a call with this path that is given a closure asks it again and again: `busy_wait(lambda: …)`."""
    last = dotted.rpartition(".")[2]
    return polls(dotted) or (_REPEATS.search(last) is not None and last not in ("waitpid", "wait_for"))


@lru_cache(maxsize=50_000)
def stops(name: str) -> bool:
    """Whether the name of a function says that it is to end something."""
    return STOPPING.search(name) is not None


@lru_cache(maxsize=50_000)
def waits(name: str) -> bool:
    """Whether the name of a function says that it waits: `stop_and_wait`, but not `stop`."""
    return _PATIENT.search(name) is not None


ADDING = frozenset({"append", "push", "add", "push_back", "Add", "append!", "<<"})
"""Calls that put a process into a collection."""
