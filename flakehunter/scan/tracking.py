"""Which processes a function knows by which names, and what was said of them so far."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flakehunter.model import Mechanism
from flakehunter.scan.durations import duration_s
from flakehunter.scan.events import (
    Call,
    Event,
    Expect,
    Flow,
    Function,
    Scope,
)
from flakehunter.scan.findings import Confidence
from flakehunter.scan.processes import (
    PIDLIKE,
    Process,
    Sent,
    State,
    resources,
)

Lookup = Callable[[str, Function], Function | None]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What the rules found in one function."""

    mechanism: Mechanism
    signal_line: int
    look_line: int
    message: str
    confidence: Confidence = Confidence.LIKELY


@dataclass(frozen=True, slots=True)
class _Stored:
    """A look whose answer was stored: a flaw, when the variable is asserted to say that the process is gone."""

    event: Event
    flaw: Flaw | None


class Tracking:
    """Keeps the state of every process while a function is walked through."""

    def __init__(self, function: Function, lookup: Lookup, spawned: Mapping[str, str]) -> None:
        self.function = function
        self.lookup = lookup
        self.spawned = spawned
        self.flaws: list[Flaw] = []
        self.state = State()
        self.deferred: list[Flow] = []
        self.current = function
        self.call_line: int | None = None
        self.site = 0
        self.sites = 0
        self.polling = 0
        self.loops: list[int] = []
        """Lines of the loops around what is read now that poll nothing."""
        self.beside = 0
        """How many threads or callbacks are around what is read now."""
        self.asked: Expect | None = None
        self.last_look: _Stored | None = None
        self.returned: int | None = None
        self.given_back: set[int] = set()
        """Processes that the function itself returns."""
        self.assigned: list[tuple[int, Flaw]] = []
        self.short: dict[int, Flaw] = {}
        self.stack: list[str] = []
        self.texts: list[str] = []
        self.frames: list[tuple[Function, Call]] = []
        """The helpers that are run now, with their calls."""
        self.lived: set[str] = set()
        """Looks, as they are written, that demanded a live process."""

    def _known(self, names: tuple[str, ...]) -> list[int]:
        """Return the processes that `names` mean, seen before here or started by another function of the file."""
        found: list[int] = []
        for name in names:
            number = self.state.find(name)
            if number is None and (kept := self._kept(name)):
                text = self.spawned[kept]
                number = self.state.new(Process(own=True, started=None, text=text, words=resources(text), ready=True))
                self.state.names[kept] = number
            if number is not None and number not in found:
                found.append(number)
        return found

    def _kept(self, name: str) -> str:
        """Return `name`, or what it begins with, when another function of the file keeps a process by it."""
        while name and name not in self.spawned:
            name = name.rpartition(".")[0]
        return name

    def _named(self, names: tuple[str, ...], *, create: bool) -> list[int]:
        known = self._known(names)
        if known or not create:
            return known[:1]
        if not names:
            return []
        name = next((n for n in names if PIDLIKE.search(n)), names[0])
        number = self.state.new(Process(pidlike=PIDLIKE.search(name) is not None))
        self.state.names[name] = number
        return [number]

    def _parent(self, number: int) -> Process | None:
        """Return the process that made this one, where that is known."""
        process = self.state.processes.get(number)
        return None if process is None or process.parent is None else self.state.processes.get(process.parent)

    def _unordered(self) -> list[int]:
        return [n for n, p in self.state.processes.items() if p.sent is not None and not p.ordered][-1:]

    def _all_ordered(self, *, derived: bool = True) -> None:
        for process in self.state.processes.values():
            if derived or not process.derived:
                process.ordered = True  # a later signal takes it back
                process.reaped_beside = True  # nobody knows how it waited

    def _all_ready(self, only: list[int] | None = None) -> None:
        for number, process in self.state.processes.items():
            if not only or number in only:
                process.ready = process.ready or process.started is not None

    def _expanded(self, text: str) -> str:
        """Return the source of a start with the calls that led to it, and the constants that any of them names."""
        whole = " ".join([text, *self.texts])
        constants = [*self.current.constants.items(), *self.function.constants.items()]
        return " ".join([whole, *(value for name, value in constants if name in whole)])

    def _in_helper(self, site: int) -> bool:
        """Whether what happened at `site` did so in the helper that is being run now, which is judged for itself."""
        return site == self.site and self.site != 0

    def _line(self, line: int) -> int:
        return line if self.call_line is None else self.call_line

    def _flaw(self, mechanism: Mechanism, sent: Sent, look_line: int, message: str) -> None:
        self._add(Flaw(mechanism, sent.line, look_line, message))

    def _add(self, flaw: Flaw) -> None:
        if not any(f.mechanism is flaw.mechanism and f.look_line == flaw.look_line for f in self.flaws):
            self.flaws.append(flaw)

    def _reaching(self, number: int) -> Sent | None:
        """Return the signal that was to end the process: its own, or one to its group, tree or parent."""
        process = self.state.processes[number]
        if process.sent is not None:
            return process.sent
        if process.own:
            return None
        parents = (
            [process.parent] if process.parent is not None else [n for n in reversed(self.state.sent) if n != number]
        )
        for parent in parents:
            other = self.state.processes[parent]
            if other.sent is not None and other.sent.scope is Scope.OPAQUE and other.ordered and not process.derived:
                continue
            if other.sent is not None and other.sent.scope is Scope.LEADER:
                if other.ordered and process.derived and not other.own and other.sent.name != "KILL":
                    continue  # who was asked to end has ended: what it started is its own affair
                if process.parent is None and not other.own:
                    continue  # nothing says that the two belong together
            if other.sent is not None and (
                process.derived or (process.pidlike and other.sent.scope is not Scope.LEADER)
            ):
                return other.sent
        return None

    def _slept_since(self, sent: Sent) -> int | None:
        return next(
            (p.slept_since_signal for p in self.state.processes.values() if p.sent == sent and p.slept_since_signal),
            None,
        )

    def _given(self, name: str, unit_s: float = 1.0) -> float | None:
        """Return the time limit in seconds that a caller gave a helper as `name`; a bare number counts in `unit_s`."""
        for helper, call in reversed(self.frames) if name else ():
            said = _argument(helper, call, name)
            limit_s = duration_s(said, unit_s)
            if limit_s is not None or not said.isidentifier():
                return limit_s
            name = said  # what the helper was given itself
        return None

    def _send(self, number: int, sent: Sent) -> None:
        process = self.state.processes[number]
        if sent.name == "KILL" and sent.scope is not Scope.OPAQUE:
            self.short.pop(number, None)  # the short wait only decided how to go on
            process.short = None
        process.sent, process.ordered, process.slept_since_signal = sent, process.ended, None
        self.state.sent = [n for n in self.state.sent if n != number] + [number]


def _argument(helper: Function, call: Call, name: str) -> str:
    """Return the source of what a call gives a helper as `name`, or of what it is when it is not given."""
    for said in call.given:
        keyword = re.match(rf"\{{?\s*{name}\s*[=:]\s*(?!=)([^,}}]+)", said)
        if keyword:
            return keyword[1].strip()
    names = [n for n in helper.parameters if n not in ("self", "cls", "this")]
    if name not in names:
        return ""
    index = names.index(name)
    if call.receiver and len(names) == len(call.given) + 1 and helper.language in ("rust", "php", "python"):
        index -= 1
    return call.given[index] if 0 <= index < len(call.given) else helper.defaults.get(name, "")
