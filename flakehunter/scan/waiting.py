"""The rules of waits, their limits and pauses: what is in order after them, and what is waited for too shortly."""

import re
from abc import abstractmethod

from flakehunter.model import Mechanism
from flakehunter.scan.events import Event
from flakehunter.scan.holding import Holding
from flakehunter.scan.processes import HANDLERS, LONG_LIVED, Sent
from flakehunter.scan.tracking import Flaw

SHORT_S = 2.0
"""A wait or poll with a time limit below this is too short for a loaded machine.

Time to death is milliseconds on an idle machine, but a CPU-starved process can need seconds until it runs its last
instructions; a second is reached under the stressors of `repro`, five are not.
"""
_GIVES_INPUT = re.compile(r"\.communicate\(\s*(?:input\s*=\s*)?b?[\"']")
"""What the child reads now lets it go on, as a line written to its input does."""
_STOPS = re.compile(r"\b(?:stop|shutdown|dispose)\w*\(", re.IGNORECASE)
_WAITS = re.compile(
    r"await|<-|[wW]ait|gather|as_completed|select|WhenA|\.[jJ]oin\((?:\s*|timeout\b[^()]*|[\d.]+)\)|tasks?\b|with$"
)
"""A call of this sort blocks, whoever it is about."""
_AT_MOST = "waits {:g} s at most, which a loaded machine can exceed: allow many times the measured time to death"
_BY_ITSELF = (
    "the child has to have ended in {:g} s, and a loaded machine may not even have started it: allow many times as long"
)


class Waiting(Holding):
    """Judges waits and notes pauses."""

    @abstractmethod
    def _goes_on(self, number: int, line: int, event: Event | None = None) -> None:
        """Judge what comes between a pause after the start of a process and `line`."""

    def _wait(self, event: Event) -> None:
        numbers = self._known(event.names)
        if event.of_wrapper:
            if not any(self.state.processes[n].own for n in numbers):
                self._all_ordered()
            return
        stopped = self.state.stopped
        if not numbers and event.needs_known and _WAITS.search(event.text) is None:
            if _STOPS.search(event.text):
                self.state.stopped, self.state.paused = self._line(event.line), None
            return  # `", ".join(names)`, `file.close()`: only a process would be waited for
        self.state.waited()
        if not numbers and event.needs_known and event.names:
            self._all_ready()  # a channel or promise: whatever it says, the child had the time
        if not event.names and not event.needs_known:
            numbers = [n for n, p in self.state.processes.items() if not p.derived]
        elif not numbers and not event.needs_known:
            numbers = self._named(event.names[:1], create=True)
        limit_s = event.timeout_s if event.timeout_s is not None else self._given(event.limit_name)
        for number in numbers:
            self._goes_on(number, self._line(event.line))
            process = self.state.processes[number]
            if (
                limit_s is not None
                and 0 < limit_s < SHORT_S
                and not event.tolerant
                and not self.polling
                and process.sent is not None
                and not process.ordered
            ):
                said = _AT_MOST.format(limit_s)
                flaw = Flaw(Mechanism.DEADLINE_TOO_SHORT, process.sent.line, self._line(event.line), said)
                if event.silent:
                    process.short = flaw
                elif event.demanded and not self._in_helper(process.sent.site):
                    self._add(flaw)  # it fails here, whatever is cleaned up later
                else:
                    self._short(number, process.sent, self._line(event.line), said)
            elif limit_s is not None and 0 < limit_s < SHORT_S and not self.polling and not event.tolerant:
                if event.demanded:
                    self._short_life(number, self._line(event.line), limit_s, stopped)
                elif event.silent and process.own and process.started is not None and not process.ordered:
                    said = _BY_ITSELF.format(limit_s)
                    process.short = Flaw(Mechanism.DEADLINE_TOO_SHORT, process.started, self._line(event.line), said)
            process.short = process.short if limit_s is not None else None
            process.ordered = process.ready = True
            process.ended = limit_s is None and not event.limit_name and not event.tolerant
            process.let_go = process.let_go or _GIVES_INPUT.search(event.text) is not None
            process.reaped = process.reaped or event.reaps
            process.unreaped = process.unreaped or not event.reaps

    def _short_life(self, number: int, line: int, limit_s: float, stopped: int | None) -> None:
        """deadline-too-short: a child has to end by itself, or by `service.stop()`, of which nothing more is known."""
        process = self.state.processes[number]
        if process.sent is not None or (process.ordered and stopped is None):
            return
        said = _AT_MOST.format(limit_s)
        if stopped is not None or (process.pidlike and not process.own and not self.stack):
            self._add(Flaw(Mechanism.DEADLINE_TOO_SHORT, stopped or line, line, said))
        elif process.own and process.started is not None:
            text = _BY_ITSELF.format(limit_s)
            if not self._in_helper(process.site):  # else the helper is judged for itself
                self._add(Flaw(Mechanism.DEADLINE_TOO_SHORT, process.started, line, text))

    def _elapsed(self, event: Event) -> None:
        """deadline-too-short: an assertion that a process which was signalled ended in less than that."""
        limit_s, line = event.timeout_s, self._line(event.line)
        if limit_s is None or not 0 < limit_s < SHORT_S or self.polling:
            return
        signalled = [process.sent for process in self.state.processes.values() if process.sent is not None]
        script = f"{self.current.strings} {self.function.strings}"
        if signalled and self._in_helper(signalled[-1].site):
            return  # the helper is judged for itself
        if not signalled and HANDLERS.search(script) is None and LONG_LIVED.search(script) is None:
            return
        said = f"has to be over in {limit_s:g} s, which a loaded machine can exceed: allow many times the measured time to death"  # noqa: E501
        self._add(Flaw(Mechanism.DEADLINE_TOO_SHORT, signalled[-1].line if signalled else line, line, said))

    def _short(self, number: int, sent: Sent, line: int, message: str) -> None:
        """deadline-too-short: kept until the end of the function, for a stronger signal may follow."""
        if self._in_helper(sent.site):
            return  # the helper is judged for itself
        self.short[number] = Flaw(Mechanism.DEADLINE_TOO_SHORT, sent.line, line, message)

    def _sleep(self, event: Event) -> None:
        if self.polling:
            return
        line = self._line(event.line)
        self.state.pause, self.state.pause_site = line, self.site
        if self.state.stopped is not None:
            self.state.paused = line
        for number, process in self.state.processes.items():
            if self._reaching(number) is not None:
                process.slept_since_signal = line
            process.slept = line
            if process.started is not None and not process.ready and process.sent is None:
                process.slept_since_start = line
                if (
                    self.site == 0
                    and self.current is self.function
                    and not (self.loops and process.started < self.loops[-1])
                ):
                    process.settling = process.settling or line
