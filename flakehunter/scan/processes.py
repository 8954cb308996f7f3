"""What the rules know of each process while they walk through a function."""

import copy
import re
from dataclasses import dataclass, field
from itertools import count

from flakehunter.scan.events import Scope

HANDLERS = re.compile(
    r"\btrap\s+(?:['\"\\]|\w+ +(?:SIG)?(?:TERM|INT|HUP|USR|QUIT))|\bsignal\.signal\(|process\.(?:on|once)\(\s*\\?[`'\"]SIG|Signal\.trap|\btrap\([\"':]|"  # noqa: E501
    r"\bsignal\(\s*SIG|sigaction\(|signal\.Notify|add_signal_handler|addShutdownHook|pcntl_signal|pcntl_async|CancelKeyPress|SetConsoleCtrlHandler|%SIG|\$SIG\{"
)
"""Scripts that set a signal handler or trap."""
_SAYS_READY = re.compile(
    r"^([ \t]*)[^\n]*\b(?:echo|print\w*|puts|[wW]rite\w*|console\.log|touch|log|send|Fprint\w*)\b[^\n]*"
    r"(?i:ready|started|running|listening|\bup\b|pid|\$\$)",
    re.MULTILINE,
)


def announces_early(script: str) -> bool:
    """Whether a script says that it runs, and only then sets a handler: who signals it at its word may be too early."""
    handler = next((found for found in HANDLERS.finditer(script) if not _IGNORES.match(script, found.start())), None)
    if handler is None:
        return False
    begin = script.rfind("\n", 0, handler.start()) + 1
    indent = _INDENT.match(script, begin)
    said = [found for found in _SAYS_READY.finditer(script) if indent is None or found[1] == indent[0]]
    before = [found for found in said if found.end() <= begin]
    after = [found for found in said if found.start() > handler.end()]
    return bool(before) and not after and "\n" in script[before[-1].start() : begin]


_INDENT = re.compile(r"[ \t]*")
_IGNORES = re.compile(r"trap\s+['\"]{2}")
REAPS = re.compile(
    rb"\b[wW]ait(?:_\w+|[A-Z]\w*|pid|id|[234])?\b|\.poll\(|communicate|\.join\(|is_alive\(|is_running\(|returncode|SIGCHLD|CHLD\b|"
    rb"ZOMBIE|_zombie|ombie\(|defunct|etach|CombinedOutput|exitcode|proc_close|proc_get_status|\.status\(\)|\bsubreaper|popen2"
)
"""Anything by which a child may be reaped."""
HANDLES_NOTHING = re.compile(r"[\"'](?:/usr)?(?:/bin/)?(?:sleep|cat|tail|yes|true)[\"',\s]")
"""Programs that every signal ends, ready or not."""
BACKGROUND = re.compile(
    r"(?<![&|>])&(?![&>\d])\s*(?:echo|wait|sleep|\w+=|[\"'`;)\\]|$)|sleep \d+ &|\bnohup\b", re.MULTILINE
)
"""Scripts that leave a process of their own behind them."""
LEAVES_GROUP = re.compile(
    r"\bsetsid\b|start_new_session|\bnohup\b.*&|\bdaemon(?:ize)?\b|os\.setsid|\bdisown\b|detached|setpgrp|setpgid\(0|set -m\b"  # noqa: E501
)
LONG_LIVED = re.compile(
    r"\bsleep['\", ]+(?:[5-9]|\d{2,})|sleep\(\s*(?:[5-9]|\d{2,})|tail['\", ]+-f|while True|while :|ping.{1,12}-[nt]\s*['\", ]*\d{2,}|infinity|pause\(\)|Start-Sleep.{1,14}\d{2,}|timeout.{1,6}/t.{1,6}\d{2,}"  # noqa: E501
)
SHORT_LIVED = re.compile(r"\bsleep['\", ]+(?:0?\.\d+|[01](?:\.\d+)?)\b(?!\.)")
"""Scripts that are over before a busy machine has started the next program."""
GO_RUN = re.compile(r"(?:^|[\"'`/\s])go[\"'`,\s\[(]+run[\"'`\s]")
"""`go run` ends on a signal without passing it on to what it has built and started (golang/go issue 40467)."""
WRAPPERS = re.compile(
    GO_RUN.pattern + r"|(?:^|[\"'`/])(?:npm|npx|pnpm|yarn|bunx|xvfb-run)(?:\.cmd)?[\"'`,\s]"
    r"|(?:^|[\"'`/])(?:dotnet|uv|docker|podman)[\"'`,\s\[(]+run[\"'`,\s]"
)
"""Programs that start another one, and cannot pass SIGKILL on to it."""
_SHELL = (
    r"(?:shell\s*=\s*True|shell:\s*true)|"
    r"[\"'](?:/bin/|/usr/bin/)?(?:ba)?sh[\"'](?:[\s,\[&]|\)\s*\.args?\()*[\"']-l?c[\"']"
)
_STAYS = re.compile(r"\b(?:trap|exec|while|until|for)\b")
"""Scripts whose shell takes care of signals, becomes its program, or does the work itself."""
_LISTED = re.compile(r"[\w\"')/.]\s*(\|(?!\|)|&&|;)\s*\w")


def runs_program(source: str, programs: re.Pattern[str]) -> bool:
    """Whether `source` starts one of `programs`, and does not only give its name to another one."""
    found = programs.search(source)
    return found is not None and _ARGUMENT.search(source[: found.start()]) is None


_ARGUMENT = re.compile(r"\.args?\(\s*\[?\s*$")


def runs_list(source: str) -> str:
    """Return what joins the commands that a shell is started with: `|`, `&&` or `;`; empty without a shell or list.

    A shell stays beside the commands of a pipe, and passes no signal on; the last of other lists it may become itself.
    """
    if re.search(_SHELL, source) is None or _STAYS.search(source):
        return ""
    joins = [found[1] for quoted in _QUOTED.findall(source) for found in _LISTED.finditer(quoted)]
    return "|" if "|" in joins else "".join(joins[:1])


_QUOTED = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`\n]*`")
SUSPENDED = re.compile(r"SUSPEND|[sS]uspended|0x0*4\b|stop_at_start|PTRACE_TRACEME")
_TOKENS = re.compile(r"[A-Za-z_][\w.]*|\b[1-9]\d{3,4}\b|[\"'`][^\"'`\n]{2,60}[\"'`]")
_URL = re.compile(r"\bhttps?://[^\s\"'`]*")
"""Who asks for a page does not hold the port."""
_RESOURCE = re.compile(
    r"port|addr|sock|lock|pid_?file|pidFile|dir\b|director|_?dir$|Dir$|path|Path|folder|tmp|db|file|url|host|store|data|root|home|workspace|pidfile",
    re.IGNORECASE,
)
_GENERIC = frozenset(["host", "path", "file", "data", "root", "url", "os.path", "process.env", "path.join", "os.path.join", "pathlib", "pathlib.Path", "__file__", "import.meta.url", "filepath.Join", "Path", "Path.new", "PathBuf", "File", "File.join", "tmp_path.joinpath", "socket", "profile", "filepath", "import.meta", "process.cwd", "__dirname"])  # fmt: skip  # noqa: E501


EXCLUSIVE = re.compile(
    r"port|addr|sock|lock|pid_?file|pid$|\.pid|db\b|_db|Db|database|store|data_?dir|profile|bind|listen|queue|fifo|[1-9]\d{3}",
    re.IGNORECASE,
)
"""Words for what only one process can hold: two may well use one program, folder or page."""


_NO_FOLDERS = frozenset(
    ["os", "path", "process", "Path", "self", "this", "env", "None", "null", "undefined", "std", "import"]
)
_LIVES_IN = re.compile(
    r"(?:\bcwd\s*[:=]\s*|current_dir\(&?|\bDir\s*=\s*|WorkingDirectory\s*=\s*|chdir:\s*|--prefix[\"',\s]+)(\w+(?:\.\w+)*)"
)


def resources(source: str) -> frozenset[str]:
    """Return the words in `source` that may name a port, a directory, a lock or pid file."""
    found: set[str] = set()
    for folder in _LIVES_IN.findall(source):
        if folder not in _GENERIC and folder.partition(".")[0] not in _NO_FOLDERS:
            found.update((folder, f"{folder.partition('.')[0]}.*"))  # and what else its holder calls its own
    for token in _TOKENS.findall(_URL.sub(" ", source)):
        if token[0] in "\"'`":
            bare = token[1:-1]
            found.update(
                name
                for name in re.findall(r"[{$]\{?([A-Za-z_]\w*)", bare)
                if _RESOURCE.search(name) and name not in _GENERIC
            )
            if bare.isupper() and bare.isidentifier() and _RESOURCE.search(bare):
                found.add(bare)  # the key of an environment: `env["DATA_DIR"]`
            if re.search(
                r"^(?:/tmp|/var|/run|/dev/shm)/|\.(?:pid|lock|sock|socket|db|sqlite3?|log)$", bare
            ) or re.fullmatch(r"\d{4,5}|\S*:[1-9]\d{2,4}", bare):
                found.add(bare)
                if port := re.search(r":([1-9]\d{2,4})$", bare):
                    found.add(port[1])
        elif token.isdigit() or (_RESOURCE.search(token) and token not in _GENERIC):
            while "." in token and not _RESOURCE.search(token.rpartition(".")[2]):
                token = token.rpartition(".")[0]
            found.add(token.removeprefix("this.").removeprefix("self."))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal that was sent: where, how far it reaches, and inside which call of a helper."""

    line: int
    scope: Scope
    name: str
    site: int
    guessed: bool = False
    """Only the name of a function says so: how far it reaches is not known."""


@dataclass(slots=True)
class Process:
    """A process as the function knows it."""

    own: bool = False
    """Started here: a child of the test that nobody else reaps."""
    derived: bool = False
    """Read from a pipe or file: somebody's child, not ours to wait for."""
    parent: int | None = None
    started: int | None = None
    """Line of its start."""
    text: str = ""
    words: frozenset[str] = frozenset()
    ready: bool = False
    slept_since_start: int | None = None
    settling: int | None = None
    """Line of a pause of the function itself in which it was to get ready; None once what follows was judged."""
    sent: Sent | None = None
    slept: int | None = None
    """Line of the last pause after its start."""
    lived: bool = False
    """A look demanded that it lives."""
    unreaped: bool = False
    """Its end was seen without it being reaped: a pidfd, WNOWAIT."""
    slept_since_signal: int | None = None
    ordered: bool = False
    """Something waited for its end after the last signal."""
    reaped: bool = False
    reaped_beside: bool = False
    """A thread, a goroutine or the runtime reaps it."""
    let_go: bool = False
    ended: bool = False
    """It was waited for without a time limit: no signal that comes later reaches it."""
    short: "object" = None
    """The flaw of a short wait for it that would say nothing: one, where it is then taken to be gone."""
    wrapped: bool = False
    """An object of the project's own holds it: its methods are helpers, whatever they are called."""
    by_name: str = ""
    """The command that ended it by what it is called: `pkill -f server`."""
    site: int = 0
    """The call of a helper that started it; 0 for the function itself."""
    pidlike: bool = False
    """Its name says that it is a process of somebody else: `worker_pid`."""


ANSWERS = frozenset(
    [
        "err",
        "error",
        "e",
        "ok",
        "status",
        "code",
        "rc",
        "ret",
        "out",
        "output",
        "stdout",
        "stderr",
        "result",
        "res",
        "exit_code",
        "exitCode",
    ]
)
"""Names of what a call answered, which never mean the process itself."""
PIDLIKE = re.compile(r"pid|proc|child|worker|daemon|grand|orphan|member", re.IGNORECASE)


@dataclass(slots=True)
class State:
    """Which name means which process, and what happened to each; copied for each branch."""

    names: dict[str, int] = field(default_factory=dict)
    processes: dict[int, Process] = field(default_factory=dict)
    looks: dict[str, "object"] = field(default_factory=dict)
    """Variables that hold the answer of a look that was not ordered."""
    sent: list[int] = field(default_factory=list)
    """Processes in the order in which they were signalled."""
    stopped: int | None = None
    """Line of the last call that is to end something, of which only the name is known."""
    paused: int | None = None
    """Line of a pause after it, with no wait for anything between."""
    pause: int | None = None
    """Line of the last pause that no wait for anything followed."""
    pause_site: int = 0
    """The call of a helper in which that was; 0 for the function itself."""
    calm: bool = False
    """Something was waited for, and nothing started or signalled since: a pause is for good measure."""
    numbers: "count[int]" = field(default_factory=count)
    """The next free number, shared by all copies: two branches never call different processes the same."""

    def copy(self) -> "State":
        """Return an independent copy."""
        return State(
            dict(self.names),
            {key: copy.copy(value) for key, value in self.processes.items()},
            dict(self.looks),
            list(self.sent),
            self.stopped,
            self.paused,
            self.pause,
            self.pause_site,
            self.calm,
            self.numbers,
        )

    def waited(self) -> None:
        """Note that something was waited for: a pause before it stands for nothing any more."""
        self.stopped = self.paused = self.pause = None
        self.calm = True

    def new(self, process: Process) -> int:
        """Add a process and return its number."""
        number = next(self.numbers)
        self.processes[number] = process
        return number

    def find(self, name: str) -> int | None:
        """Return the process that `name` means, or the longest known part of it: `proc` for `proc.stdout.read`."""
        while name:
            if name in self.names:
                return self.names[name]
            name = name.rpartition(".")[0]
        return None

    def merge(self, before: "State", others: list["State"]) -> None:
        """Become what is true after one of `others` was taken, each of which began as `before`."""
        first = others[0]
        self.names, self.looks = dict(first.names), dict(first.looks)
        self.processes = {key: copy.copy(value) for key, value in first.processes.items()}
        self.sent = list(first.sent)
        self.stopped, self.paused, self.pause, self.calm = first.stopped, first.paused, first.pause, first.calm
        self.pause_site = first.pause_site
        for other in others[1:]:
            self.names |= {key: value for key, value in other.names.items() if key not in self.names}
            self.looks |= other.looks
            self.sent += [number for number in other.sent if number not in self.sent]
            for number, process in other.processes.items():
                mine = self.processes.get(number)
                if mine is None:
                    self.processes[number] = copy.copy(process)
                    continue
                _merge_process(mine, process, before.processes.get(number))


def _merge_process(mine: Process, other: Process, before: Process | None) -> None:
    old = before.sent if before else None
    loose = any(p.sent is not None and p.sent != old and not p.ordered for p in (mine, other))
    mine.ordered = not loose and (mine.ordered or other.ordered)
    newer = other.sent is not None and (mine.sent is None or mine.sent == old)
    mine.sent = other.sent if newer else mine.sent
    mine.slept_since_signal = mine.slept_since_signal or other.slept_since_signal
    mine.slept_since_start = mine.slept_since_start or other.slept_since_start
    mine.ready = mine.ready or other.ready
    mine.settling = mine.settling or other.settling
    mine.slept = mine.slept or other.slept
    mine.unreaped = mine.unreaped or other.unreaped
    mine.reaped = mine.reaped or other.reaped
    mine.reaped_beside = mine.reaped_beside or other.reaped_beside
    mine.let_go = mine.let_go or other.let_go
    mine.ended = mine.ended and other.ended
    mine.started = mine.started or other.started
    mine.text = mine.text or other.text
