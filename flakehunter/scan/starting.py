"""The rule of starts that a pause stands for: what goes on after it as if the child had got ready."""

import re

from flakehunter.model import Mechanism
from flakehunter.scan import idioms
from flakehunter.scan.events import Call, Event, Scope
from flakehunter.scan.findings import Confidence
from flakehunter.scan.kinds import words
from flakehunter.scan.processes import Process, resources
from flakehunter.scan.tracking import Flaw
from flakehunter.scan.waiting import Waiting

_COMMENT = re.compile(r"^[ \t]*(?:#|//|\*|/\*).*$|(?<=[ \t;)])(?://|#[ \t]).*$|/\*[^\n]*?\*/")
_NOTHING = re.compile(
    r"^\W*(?:"
    r"(?:end|fi|done|then|else|do|esac|pass|try|finally|ensure|begin|return|break|null|nil|None|unsafe)\b[\s:;{})\]\w]*|"
    r"(?:(?:await|_\s*=|std::|System\.(?:out|err)\.|fmt\.|t\.|(?:self\.)?logg(?:er|ing)\.|[cC]onsole\.|sys\.std\w+\.)\s*)*"
    r"(?:print\w*!?|echo|puts|pp|[lL]og\w*|info|debug|warn\w*|error|eprintln!?|Print\w*|[wW]rite\w*|cout|cerr|f?flush)\b.*|"
    r".*(?:add_?[fF]inalizer|addCleanup|\.Cleanup\(|onTestFinished|\bdefer\b|\btrap\b|at_?exit|t\.after\(|teardown\().*|"
    r".*\b(?:catch|except|rescue|finally)\b[^;]*|"
    r"[\w.:]*[sS]leep(?:_for|Seconds)?\b.*|.*\b(?:set[tT]imeout|delay)\([^()]*\)\W*|[\w.]*\.Delay\(.*"
    r")?$"
)
"""A line that uses nothing: ends of blocks, what is only printed, clean-up for later, another pause."""
_WAITS = re.compile(
    r"(?i)\bwait\w*\s*[(\s!]|\w(?:_wait|Wait)\w*\s*\(|(?:a?wait_?)(?:for|until)|\buntil\b|retry|retries|eventually|"
    r"\bpoll(?!\(\)\s*(?:is|==|!=)|s\b)|\bready\b|is_?ready|healthy|health_?check|readline|read_line|recv|\bgets\b|"
    r"expect\(\s*[\[\"'r]|\b(?:while|for|until)\b.*(?:sleep|delay)|"
    r"^([ \t]*)\W*(?:while|for|until)\b.*(?:\n(?:\1[ \t]+.*|[ \t]*)){0,30}?\n\1[ \t]+.*(?:sleep|delay)",
    re.MULTILINE,
)
"""Something in the text waits, by whatever name."""
_DEMANDS = re.compile(
    r"(?i:\bassert|\bexpect(?:_|\w*\()|\bshould|\bmust\b|\brequire[.!_]|\bverify|\brefute|\bcheck(?:_|\())|ASSERT|EXPECT|CHECK|"
    r"REQUIRE|Assert|QVERIFY|QCOMPARE|\bt\.(?:Error|Fatal|is|true|false|not|like|deep)|\b(?:[tT]est)?[fF]ail(?:ed|ure|f|Now)?\b|"
    r"raise |throw |panic|exit\s*\(?\s*[1-9]|\bdie\b|\.unwrap\(|\bok\("
)
_DEMANDS_IN_SHELL = re.compile(r"^\s*(?:if|elif)\s|^\s*\[\[?\s|^\s*test\s|\|\|\s*\S|\b(?:grep|diff|cmp)\b|\bexit [1-9]")
_ASKS = re.compile(
    r"\b(?:curl|wget|ncat|nc|psql|redis-cli|mysql|grpcurl|pidof|pgrep|lsof|netstat|telnet|wrk)\b(?!\.)|"
    r"[cC]onnect(?!ion_?string|ed\b|_?[tT]imeout)\w*\(|https?://|\blocalhost\b|127\.0\.0\.1|\bfetch\(|[cC]lient|urlopen|"
    r"\brequests?\.\w+\(|\.(?:get|post|put)\(\s*[fb]?[\"'`]|\bDial\w*\(|[sS]ocket\(|XMLHttpRequest|page\.goto|driver\.get|"
    r"\bps\s+(?:aux|-\w)|\bkill\s+-0|rpc|Stub\("
)
"""What needs somebody to answer."""
_SET_UP = re.compile(
    r"(?:^_*(?:re)?|_|[a-z](?=[A-Z]))(?:[sS]tart|[sS]pawn|[lL]aunch|[sS]erve|[bB]oot|[sS]et_?[uU]p|[bB]efore)"
    r"(?:$|[_A-Z\d]|ing|ed|er$)"
)
"""Functions after which others go on."""
_TEST = re.compile(r"^_*[tT]est|[\s<]|^main$|Test$|_test$")
"""Functions after which nobody goes on."""
_DECLARES = words("java kotlin csharp javascript typescript tsx go cpp")
"""Languages in which a variable of a function does not look like a field."""
_BEGINS = re.compile(
    r"^(?:\S*/)?(?:re)?(?:start|launch|run)[\w-]*(?:server|daemon|service|node|broker)\w*(?:\.sh)?\b|"
    r"^\S*(?:start|launch)\w*\.sh\b|^(?:service|/etc/init\.d/|rc-service)\s*\S+\s+(?:re)?start\b|"
    r"^(?:docker|podman)(?:[- ]compose)?\s.*(?:\brun\b.*\s-d\b|\bup\b.*\s-d\b|\bstart\b)",
    re.IGNORECASE,
)
"""Commands that start a program, and leave it running when they are done."""
_HOLDS_PROCESS = re.compile(r"(?:proc(?:ess)?|daemon|executor|subprocess)\d*$", re.IGNORECASE)
"""Names of objects that start a process: `executor`, `daemon`."""
_PART = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}")
_OF_ANY = words(
    """
    kill pkill killall sudo null true exec start nohup home opt usr bin local tmp var log logs out test run sleep dev
    echo setsid restart python java node ruby bash config err
    """
)
"""Words of commands that say nothing of what is run."""
_LOOKS_ALIVE = re.compile(
    r"\.poll\(|returncode|exit_?[cC]ode|exit_?[vV]alue|is_?[aA]live|HasExited|try_wait|kill -0|/proc/|pid_exists|"
    r"kill\([^()]*,\s*0\)|is_?[rR]unning|\.exited|ProcessState"
)
_SAYS_SIGNAL = re.compile(r"\bSIG[A-Z]{2,}|CTRL_|[\"':-](?:TERM|INT|HUP|QUIT|USR\d)\b|Signal::|os\.Interrupt|syscall\.")
_INLINE = re.compile(
    r"[\"'`](?:-l?c|-e|/c)[\"'`]|\bfork\(|\bProcess\(\s*(?:group=|target)|Worker\(|Process\.fork|\bfork\b\s*(?:do|\{)"
)
"""What the child does stands here, and sets no handler."""
_IDLE = re.compile(
    r"^\s*(?:exec\s+)?(?:sleep|cat|tail|yes|true|curl|wget)\b|"
    r"[\"'`(\[]\s*(?:curl|wget|tail|ping|yes|cat|sleep)(?:\.exe)?[\s\"'`]"
)
"""Programs that offer nothing which one could wait for."""


class Starting(Waiting):
    """Judges what goes on after a start and a pause."""

    def _goes_on(self, number: int, line: int, event: Event | None = None) -> None:
        """fixed-sleep: a start, a pause, and what comes before `line` needs the child to be ready.

        `event` is the signal that ends it, if one does; at the end of the function there is none.
        """
        process = self.state.processes[number]
        pause, process.settling = process.settling, None
        if pause is None or process.ready or not process.own or process.started is None or process.sent is not None:
            return
        if _IDLE.search(process.text) or self._told(process.started, pause):
            return
        if line <= pause:  # said before, for the end: clean-up
            line, event = self.function.end_line + 1, None
        end = line
        between = self._lines(pause + 1, end)
        if between is None:
            return
        judged = self._judged(number, pause, end, between, event)
        if judged is not None:
            look, confidence = judged
            text = f"a fixed sleep (line {pause}) stands for the wait until the child is ready: poll to a deadline, or wait for a line that it prints"  # noqa: E501
            self._add(Flaw(Mechanism.FIXED_SLEEP, process.started, look, text, confidence))

    def _judged(
        self, number: int, pause: int, end: int, between: dict[int, str], event: Event | None
    ) -> tuple[int, Confidence] | None:
        process = self.state.processes[number]
        whole = "\n".join(between.values())
        waits = _WAITS.search(whole)
        if waits is not None:
            # What comes before that needs the child already.
            before = whole.count("\n", 0, waits.start())
            between = dict(list(between.items())[:before])
            whole = "\n".join(between.values())
        shell = self.function.language == "bash"
        if any(re.match(r"\s*yield\b", line) for line in between.values()):
            return pause, Confidence.LIKELY
        if event is None and waits is None and self._handed_on(number):
            return pause, Confidence.POSSIBLE if _LOOKS_ALIVE.search(whole) else Confidence.LIKELY
        between = _without_liveness(between)
        first = next(iter(between), end)
        for number_of_line, line in between.items():
            if _ASKS.search(line) or _DEMANDS.search(line) or (shell and _DEMANDS_IN_SHELL.search(line)):
                return number_of_line, Confidence.LIKELY
        if waits is not None:
            return None
        if between:
            return first, Confidence.LIKELY if self._serves(number) else Confidence.POSSIBLE
        if event is None or event.signal in ("KILL", "STOP", "CONT", "0") or _INLINE.search(process.text):
            return None
        after = self._lines(end + 1, self.function.end_line + 1) or {}
        says = _SAYS_SIGNAL.search(event.text) is not None
        asserted = any(_DEMANDS.search(line) for line in after.values())
        return (end, Confidence.LIKELY) if says or asserted else None

    def _begins(self, step: Call) -> None:
        """Note what a command of a script starts that is known by its name alone: `./start-server.sh`, `service db start`."""  # noqa: E501
        if _BEGINS.search(step.text) is None or self.polling:
            return
        line = self._line(step.line)
        self._again(step.text, line)
        begun = Process(own=True, started=line, text=step.text, words=resources(step.text), site=self.site)
        begun.reaped_beside = True
        self.state.new(begun)

    def _begins_by_object(self, event: Event) -> None:
        """Note what an object of somebody else's starts, by what it is called: `executor.start()`."""
        if event.beside or self.polling or not event.names or _HOLDS_PROCESS.search(event.names[0]) is None:
            return
        begun = Process(own=True, started=self._line(event.line), text=event.text, site=self.site, reaped_beside=True)
        self.state.new(begun)

    def _again(self, text: str, line: int) -> None:
        """fixed-sleep, resource-still-held: a script ends a program by its name, and starts it again."""
        started = _parts(text)
        for process in self.state.processes.values():
            sent, paused = process.sent, process.slept_since_signal
            if sent is None or process.ordered or sent.name in idioms.HARMLESS or sent.site or not process.by_name:
                continue
            if not _parts(process.by_name) & started:
                continue
            process.ordered = True
            if paused is None:
                said = "the program is started again while the one that is being ended may still hold its port and files: wait until it is gone"  # noqa: E501
                self._add(Flaw(Mechanism.RESOURCE_STILL_HELD, sent.line, line, said))
            else:
                said = f"a fixed sleep (line {paused}) stands for the wait until the program is gone that is started again: poll to a deadline"  # noqa: E501
                self._add(Flaw(Mechanism.FIXED_SLEEP, sent.line, line, said))

    def _left_running(self) -> None:
        """Judge, at the end of the function, the children that nothing signalled or waited for."""
        named = set(self.state.names.values())
        for number, process in list(self.state.processes.items()):
            if process.site == 0 or number in named:
                self._goes_on(number, self.function.end_line + 1)
        self._ends_with_pause()

    def _ends_with_pause(self) -> None:
        """fixed-sleep: a helper ends something and then only pauses, and whoever called it goes on."""
        pause, ended = self.state.pause, self._unordered()
        sent = self.state.processes[ended[0]].sent if ended else None
        if pause is None or sent is None or self.state.pause_site != 0 or (sent.scope is Scope.OPAQUE and sent.guessed):
            return
        if not sent.line < pause or _TEST.search(self.function.name) or self._told(sent.line, pause):
            return
        if self._lines(pause + 1, self.function.end_line + 1) == {}:
            text = f"a fixed sleep (line {pause}) stands for the wait until the process is gone, and the caller goes on: poll to a deadline, or wait on the process"  # noqa: E501
            confidence = Confidence.POSSIBLE if sent.guessed else Confidence.LIKELY
            self._add(Flaw(Mechanism.FIXED_SLEEP, sent.line, pause, text, confidence))

    def _handed_on(self, number: int) -> bool:
        """Whether others go on with a process when the function has ended."""
        if _TEST.search(self.function.name):
            return False
        called = [name for name, known in self.state.names.items() if known == number]
        return (
            self.function.is_fixture
            or number in self.given_back
            or any(name.startswith(("self.", "cls.", "this.", "@")) or self._is_field(name) for name in called)
            or _SET_UP.search(self.function.name) is not None
        )

    def _is_field(self, name: str) -> bool:
        """Whether a name is assigned here, and declared outside of the function."""
        if self.function.language not in _DECLARES or not name.isidentifier():
            return False
        assigned = re.search(rf"^[ \t]*{name}\s*=(?!=)", self.function.source, re.MULTILINE)
        return assigned is not None and not re.search(rf"\b(?:let|var|val|Process)\s+{name}\b", self.function.source)

    def _told(self, started: int, pause: int) -> bool:
        return any(f.mechanism is Mechanism.FIXED_SLEEP and f.signal_line in (started, pause) for f in self.flaws)

    def _lines(self, begin: int, end: int) -> dict[int, str] | None:
        """Return the lines of the function from `begin` to before `end` that do something; None without its source."""
        source = self.function.source
        if not source:
            return None
        part = source.split("\n")[max(begin - self.function.line, 0) : max(end - self.function.line, 0)]
        lines = [(number, _COMMENT.sub("", line)) for number, line in enumerate(part, begin)]
        return {number: line for number, line in lines if _NOTHING.match(line) is None}


def _without_liveness(lines: dict[int, str]) -> dict[int, str]:
    """Return `lines` without those that ask whether the child lives: it does so, ready or not."""
    left: dict[int, str] = {}
    indent: int | None = None
    for number, line in lines.items():
        depth = len(line) - len(line.lstrip())
        if indent is not None and depth > indent:
            continue  # what is done when it does not
        indent = None
        if _LOOKS_ALIVE.search(line):
            indent = depth if re.match(r"\W*(?:if|elif|unless)\b", line) else None
        else:
            left[number] = line
    return left


def _parts(text: str) -> set[str]:
    """Return the parts of words in a command that may be what its program is called."""
    bare = re.sub(r"\d?>+\s*\S+", " ", text)
    return {part.lower() for part in _PART.findall(bare)} - _OF_ANY
