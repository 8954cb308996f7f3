"""The rules of what a process holds and leaves: ports, locks, files and folders, and what only a ready child offers."""

import re

from flakehunter.model import Mechanism
from flakehunter.scan.events import Event, Expect, Scope
from flakehunter.scan.findings import Confidence
from flakehunter.scan.processes import HANDLES_NOTHING, resources
from flakehunter.scan.tracking import Flaw, Tracking

PAUSE_LINES = 5
"""A pause further above a look for a file was for something else as often as not."""
_LOOKS_FOR = re.compile(r"exist|\[ +(?:! +)?-[efsS] |\btest +(?:! +)?-[efsS] |\bcat\b")
"""Looks for a file, and does not take it."""
_SERVES = re.compile(
    r"serv|daemon|listen|http|port[= ]|bind|socket|node |uvicorn|gunicorn|flask|\.jar\b|\bnc\b|:\d{2,5}\b|\s-[lS]\b|"
    r"--port|--?data[-_]?(?:dir)?\b|--db\b|redis|postgres|mysqld|mongod|etcd|nginx|kafka|rabbitmq|consul|minio|zookeeper",
    re.IGNORECASE,
)
"""A program that others connect to, by its name or options."""
_RESTARTS = re.compile(r"restart|respawn|reload", re.IGNORECASE)
_FIXED_PORT = re.compile(r"(?<![\w.])[1-9]\d{3,4}(?![\w.])")
LEAST_START = 12
"""A shorter start says too little to be known again."""
_HERE = re.compile(r"\blocalhost\b|\b127\.0\.0\.1\b|\[::1\]")
"""Who answers here was started here."""
_REMOVES = re.compile(r"remove|unlink|rm|delete|RemoveAll", re.IGNORECASE)
_PART = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{4,}")
_OF_ALL = frozenset(["pid", "path", "dir", "file", "self", "this", "proc", "process", "tmp", "temp", "kill", "get"])
_UNLINKS = re.compile(
    r"^\W*(?:\w+(?:\.|::))*(?:os\.remove|unlink\w*|remove_file|os\.Remove|rm)\b(?!.*-\w*r)|File\.delete"
)


class Holding(Tracking):
    """Judges what signalled processes may still hold, and what unready ones cannot offer yet."""

    def _bind(self, event: Event) -> None:
        if self.polling or event.tolerant:
            return
        if event.expect is Expect.ALIVE:
            self._must_be_there(event)
            return
        if event.expect is Expect.DEAD and self._must_be_gone(event):
            return
        words = resources(event.text)
        if _REMOVES.search(event.text):
            words |= {name for name in event.names if "." in name}  # a folder or file, whatever it is called
        what = "looked for" if _LOOKS_FOR.search(event.text) else "used again"
        self._resource(words, self._line(event.line), what, event.text)

    def _must_be_there(self, event: Event) -> None:
        """fixed-sleep: a pause, and the pid file or socket of a child has to be there."""
        own_site = self._in_helper(self.state.pause_site)
        if self.state.pause is not None and not self.state.calm and not own_site:
            text = "a fixed sleep stands for the wait until the file is there: poll for it to a deadline"
            starting = any(p.own and p.started is not None and not p.ready for p in self.state.processes.values())
            before = self._line(event.line) - self.state.pause <= PAUSE_LINES
            confidence = Confidence.LIKELY if starting or before else Confidence.POSSIBLE
            self._add(Flaw(Mechanism.FIXED_SLEEP, self.state.pause, self._line(event.line), text, confidence))
            self.state.pause = None

    def _must_be_gone(self, event: Event) -> bool:
        """fixed-sleep: a pause, and the pid file or socket of somebody else's process has to be gone."""
        pause, line = self.state.pause, self._line(event.line)
        own_site = self._in_helper(self.state.pause_site)
        if pause is None or self.state.calm or own_site or line - pause > PAUSE_LINES or self._unordered():
            return False
        text = "a fixed sleep stands for the wait until the process has removed the file: poll to a deadline"
        self._add(Flaw(Mechanism.FIXED_SLEEP, pause, line, text))
        return True

    def _resource(self, words: frozenset[str], line: int, what: str, text: str = "") -> None:
        """resource-still-held: a port, file or directory of a signalled process is used before its exit."""
        for number, process in list(self.state.processes.items()):
            sent = process.sent if not process.derived or process.sent is not None else self._reaching(number)
            if sent is None or sent.scope is Scope.OPAQUE or process.ordered or self._in_helper(sent.site):
                continue
            shared = sorted(word for word in words if process.words & {word, f"{word.partition('.')[0]}.*"})
            unknown = not process.own and not process.words and not process.derived and what != "started again"
            akin = self._akin(number, words) if unknown else False
            if unknown and (what == "looked for" or _REMOVES.search(text)):
                unknown = akin  # whose folder it is, only the names can tell
            if not shared and not (words and unknown):
                continue
            if sent.name == "KILL" and _UNLINKS.search(text) and self.function.language != "csharp":
                continue  # POSIX removes a file that somebody holds, and who is killed cannot remove it himself
            name = (shared or sorted(words))[0]
            if what == "looked for" and process.slept_since_signal is not None:
                self._flaw(
                    Mechanism.FIXED_SLEEP, sent, line,
                    f"a fixed sleep (line {process.slept_since_signal}) stands for the wait until {name} is gone: wait on the process, or poll to a deadline",  # noqa: E501
                )  # fmt: skip
                process.ordered = True
                continue
            slept = (
                ""
                if process.slept_since_signal is None
                else f" (the sleep on line {process.slept_since_signal} may be too short)"
            )
            self._add(
                Flaw(
                    Mechanism.RESOURCE_STILL_HELD,
                    sent.line,
                    line,
                    f"{name} is {what} while the signalled process may still hold it{slept}: wait on the process first",
                    # That it holds this is a guess where nothing of its start is known.
                    Confidence.LIKELY if (shared or akin) and not sent.guessed else Confidence.POSSIBLE,
                )
            )
            process.ordered = True

    def _serves(self, number: int) -> bool:
        """Whether a process is a server, by its command or by what it is called here."""
        called = " ".join(name for name, known in self.state.names.items() if known == number)
        return _SERVES.search(f"{self.state.processes[number].text} {called}") is not None

    def _started_again(self, text: str, line: int) -> None:
        """resource-still-held: the same server is started again right after it was signalled."""
        for number, process in self.state.processes.items():
            sent = process.sent
            if sent is None or sent.scope is Scope.OPAQUE or process.ordered or not process.own:
                continue
            if self._in_helper(sent.site) or len(text) < LEAST_START:
                continue
            if not process.text.startswith(text) or HANDLES_NOTHING.search(text):
                continue
            if self._serves(number) or _RESTARTS.search(self.current.name):
                said = "the same server is started again while the signalled one may still hold its port and files: wait on the process first"  # noqa: E501
                # A function that starts it may well choose another port or folder each time.
                sure = not self.stack or _FIXED_PORT.search(text) is not None
                confidence = Confidence.LIKELY if sure else Confidence.POSSIBLE
                self._add(Flaw(Mechanism.RESOURCE_STILL_HELD, sent.line, line, said, confidence))
                process.ordered = True

    def _akin(self, number: int, words: frozenset[str]) -> bool:
        """Whether a process of which nothing is known and a path share a word: `server_pid` and `server_dir`."""
        said = {part for name, known in self.state.names.items() if known == number for part in _parts(name)}
        return any(part in said for word in words for part in _parts(word))

    def _use(self, event: Event) -> None:
        if self.polling:
            return
        line = self._line(event.line)
        for number, process in self.state.processes.items():
            if not process.own or process.started is None or process.ready or process.sent is not None:
                continue
            if process.site != 0 and process.slept_since_start == process.started:
                continue  # a helper starts it and pauses: that is told where it stands, once for all who call it
            if process.slept_since_start is not None:
                offers = bool(resources(event.text) & process.words)
                if not offers and _LOOKS_FOR.search(event.text) is None:
                    offers = _HERE.search(event.text) is not None or self._serves(number)
                self._add(
                    Flaw(
                        Mechanism.FIXED_SLEEP,
                        process.started,
                        line,
                        f"a fixed sleep (line {process.slept_since_start}) stands for the wait until the child is ready: poll to a deadline",  # noqa: E501
                        # Who else may offer it, only the source of the start can tell.
                        Confidence.LIKELY if offers else Confidence.POSSIBLE,
                    )
                )
                process.ready = True

    def _effect(self, event: Event) -> None:
        """fixed-sleep: what the signalled process leaves behind is asserted after a pause."""
        if event.names:
            self._written(event)
            return
        for process in self.state.processes.values():
            if (
                process.sent is not None
                and not process.ordered
                and process.slept_since_signal is not None
                and not self.polling
            ):
                self._flaw(
                    Mechanism.FIXED_SLEEP, process.sent, self._line(event.line),
                    f"a fixed sleep (line {process.slept_since_signal}) stands for the wait until the process has done this: wait on it, or poll to a deadline",  # noqa: E501
                )  # fmt: skip
                return

    def _written(self, event: Event) -> None:
        """fixed-sleep: what a child is to have written, or said at its end, is asserted after a pause."""
        pause, line = self.state.pause, self._line(event.line)
        for number in self._known(event.names) if pause is not None and not self.polling else ():
            process = self.state.processes[number]
            over = process.ended or (process.ordered and process.sent is not None)
            if process.own and process.slept is not None and not over:
                said = f"a fixed sleep (line {pause}) stands for the wait until the child has written this: poll for it, or wait on the process"  # noqa: E501
                self._add(Flaw(Mechanism.FIXED_SLEEP, pause or line, line, said))


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PART.findall(name) if part.lower() not in _OF_ALL]
