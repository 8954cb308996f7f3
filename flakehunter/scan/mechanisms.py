"""The rules of the eight mechanisms: what each event means for the processes it names."""

import re

from flakehunter.model import Mechanism
from flakehunter.scan import idioms
from flakehunter.scan.events import (
    Alive,
    Event,
    Expect,
    Kind,
    Scope,
    events,
)
from flakehunter.scan.findings import Confidence
from flakehunter.scan.holding import PAUSE_LINES
from flakehunter.scan.processes import (
    BACKGROUND,
    EXCLUSIVE,
    GO_RUN,
    HANDLERS,
    HANDLES_NOTHING,
    LEAVES_GROUP,
    LONG_LIVED,
    PIDLIKE,
    SHORT_LIVED,
    SUSPENDED,
    WRAPPERS,
    Process,
    Sent,
    resources,
    runs_list,
    runs_program,
)
from flakehunter.scan.starting import Starting
from flakehunter.scan.tracking import Flaw, _Stored

AT_ONCE_LINES = 6
"""A signal so soon after the start, with no wait between, is sent at once."""
_SET_BY_WAIT = re.compile(r"\.returncode$")
"""What only a wait or poll sets: it is no look of its own."""
_MASKED = re.compile(r"\b(?:sigsuspend|sigwait\w*|sigtimedwait|signalfd)\(")
"""A child that waits for a signal which it blocks, since before it was started: none comes too early."""
_FAR = re.compile(r"grand|descend|orphan|leaked", re.IGNORECASE)
"""Names of processes whose parent is no child of the test: it has to be gone too, and cannot wait for them then."""
_COMMAND = re.compile(r"\b(?:pgrep|pidof|ps|tasklist)\b")
_PIPED = re.compile(r"\bstdin\s*=\s*[\w.]+\.stdout\b")
"""The program is given what the process writes, and not the process."""


class Mechanisms(Starting):
    """Judges events."""

    def _spawn(self, event: Event) -> None:
        line = self._line(event.line)
        known = self._known(event.names)
        if event.needs_known and not known:
            self._begins_by_object(event)
            return
        if event.beside:
            self._run_beside(known[0], line)
            return
        self.state.calm = False
        source = self._expanded(event.text)
        if self.stack and HANDLERS.search(self.current.strings):
            source = f"{source} {self.current.strings}"  # the script is a helper's own, and unknown to its caller
        if not known and event.kind is Kind.SPAWN and (built := self._just_built()) is not None:
            known = [built]  # `Builder(args).start()`
            source = f"{source} {self.state.processes[built].text}"
            self.state.processes[built].text = source
        words = resources(source)
        if event.kind is Kind.SPAWN and not self.polling:
            self._resource(frozenset(filter(EXCLUSIVE.search, words)), line, "started again")
            self._again(event.text, line)
            self._started_again(self.state.processes[known[0]].text if known else event.text, line)
        if known and event.kind is Kind.SPAWN:
            process = self.state.processes[known[0]]
            process.started, process.own, process.ready, process.ordered, process.site = (
                line,
                True,
                False,
                False,
                self.site,
            )
            process.sent, process.slept_since_start, process.settling, process.ended = None, None, None, False
            process.words |= words
            self.returned = known[0]
            return
        started = line if event.kind is Kind.SPAWN else None
        number = self.state.new(
            Process(own=True, started=started, text=source, words=words, ready=self.polling > 0, site=self.site)
        )
        self.returned = number
        if (
            event.kind is Kind.SPAWN
            and event.names
            and re.match(rf"{re.escape(event.names[0])}(?:\.|->)\w+\(", event.text)
        ):
            self.state.names[event.names[0]] = number  # `process.start(…)`: an object that nothing was seen to make
        for name in out_parameters(event.text, self.current.language):
            self.state.names[name] = number

    def _run_beside(self, number: int, line: int) -> None:
        """A thread runs a command that was built here to its end: there is a process from now on."""
        process = self.state.processes[number]
        if self.beside and process.own and process.started is None:
            process.started, process.ready, process.reaped_beside = line, True, True

    def _just_built(self) -> int | None:
        """Return the command that the expression around described and nobody started yet."""
        process = self.state.processes.get(self.returned) if self.returned is not None else None
        if process is None or process.started is not None or not process.own:
            return None
        return None if self.returned in self.state.names.values() else self.returned

    def _signal(self, event: Event) -> None:
        line = self._line(event.line)
        for number in self._known(event.names) if self.state.pause is not None else ():
            self._paused_for_handler(number, event, line)
        self.state.pause = None  # it was for something before this
        if event.scope is Scope.OPAQUE:
            targets = [n for n, p in self.state.processes.items() if not p.ordered or p.sent is None]
            if not targets or not any(self.state.processes[n].own for n in targets):
                targets.append(self.state.new(Process(by_name=event.text if self.current.language == "bash" else "")))
        elif event.scope is Scope.TREE and not event.names:
            targets = [n for n, p in self.state.processes.items() if p.own and p.started is not None]  # a whole job
        else:
            targets = self._named(event.names, create=not event.needs_known)
        for number in targets:
            self._readiness(number, event, line)
            self._goes_on(number, line, event)
            self._wrapper(number, event, line)
            if event.signal not in idioms.HARMLESS:
                self._send(number, Sent(line, event.scope, event.signal, self.site))

    def _wrapper(self, number: int, event: Event, line: int) -> None:
        """survivor: `go run` or `npm start` is killed, and the program that it started goes on."""
        process = self.state.processes[number]
        elsewhere = process.started is None and process.own and process.ready
        if event.scope is not Scope.LEADER or (process.started is None and not elsewhere) or process.ended:
            return
        started = process.started or line
        if event.signal in idioms.HARMLESS or self._in_helper(process.site):
            return
        asked = process.sent is not None  # and passes that on, as far as it can
        joined = runs_list(process.text) if not asked else ""
        if joined and self._serves(number):
            text = "only the shell is signalled, and the commands that it runs go on: start the program without one, or signal the group"  # noqa: E501
            confidence = Confidence.LIKELY if joined == "|" else Confidence.POSSIBLE
            self._add(Flaw(Mechanism.SURVIVOR, line, started, text, confidence))
        elif runs_program(process.text, WRAPPERS if event.signal == "KILL" and not asked else GO_RUN):
            self._flaw(
                Mechanism.SURVIVOR, Sent(line, Scope.LEADER, "", -1), started,
                "only the program that starts another one is signalled, and does not pass it on: start what it starts, or signal the group",  # noqa: E501
            )  # fmt: skip

    def _readiness(self, number: int, event: Event, line: int) -> None:
        """signal-before-ready: a child that handles signals is signalled before it can have said so."""
        process = self.state.processes[number]
        if process.own and process.ready and process.started is not None and process.sent is None:
            self._told_too_early(process, event, line)
        if (
            not process.own
            or process.ready
            or process.started is None
            or event.signal in ("KILL", "STOP", "CONT", "0")
            or process.let_go
        ):
            return
        handles = (
            HANDLERS.search(process.text)
            or HANDLERS.search(self.current.strings)
            or HANDLERS.search(self.function.strings)
        )
        slept = process.slept_since_start
        at_once = slept is None and line - process.started <= AT_ONCE_LINES and self.call_line is None
        asks = process.sent is None and (
            self.function.asks_zero if at_once else self.function.asks_status and slept is not None
        )
        told = handles or event.signal in ("USR1", "USR2") or asks or self._lives_on(event)
        if not told or (not handles and HANDLES_NOTHING.search(process.text)) or _MASKED.search(process.text):
            return
        if self._in_helper(process.site):
            return
        how = (
            "before it can have set its handler"
            if slept is None
            else f"after a fixed sleep (line {slept}), set its handler by then or not"
        )
        self._flaw(
            Mechanism.SIGNAL_BEFORE_READY, Sent(line, Scope.LEADER, "", -1), process.started,
            f"signals the child {how}: wait for a line it prints when ready",
        )  # fmt: skip
        process.ready = True

    def _told_too_early(self, process: Process, event: Event, line: int) -> None:
        """signal-before-ready: the child was waited for, but says that it is ready before it sets its handler."""
        early = self.function.announces_early or self.current.announces_early
        if not early or event.signal in ("KILL", "STOP", "CONT", "0") or self._in_helper(process.site):
            return
        text = "the child's script says that it runs before it sets its handler, and is signalled at its word: set the handler first"  # noqa: E501
        self._flaw(Mechanism.SIGNAL_BEFORE_READY, Sent(line, Scope.LEADER, "", -1), process.started or line, text)

    def _lives_on(self, event: Event) -> bool:
        """Whether SIGHUP only asks the process to read its settings again: it is ended by another signal later."""
        return event.signal == "HUP" and any(
            e.line > event.line and e.names == event.names for e in events(self.current.flow, Kind.SIGNAL)
        )

    def _paused_for_handler(self, number: int, event: Event, line: int) -> None:
        """signal-before-ready: the pid was read, a pause, and the signal has to be handled."""
        process, pause = self.state.processes[number], self.state.pause
        later = [e for e in events(self.current.flow, Kind.EFFECT, Kind.BIND, Kind.SIGNAL) if e.line > event.line]
        handled = event.signal in ("USR1", "USR2", "HUP") or any(e.kind is not Kind.SIGNAL for e in later)
        if (
            pause is None
            or not process.derived
            or process.sent is not None
            or event.signal in ("KILL", "STOP", "CONT", "CHLD", "0")
            or not 0 < line - pause <= PAUSE_LINES
            or self.state.pause_site != self.site
            or not handled
        ):
            return
        text = f"signals the child after a fixed sleep (line {pause}), set its handler by then or not: wait for a line it prints when ready"  # noqa: E501
        self._flaw(Mechanism.SIGNAL_BEFORE_READY, Sent(line, Scope.LEADER, "", -1), pause, text)

    def _look(self, event: Event) -> None:
        expect = event.expect
        if expect in (Expect.VALUE, Expect.NEUTRAL) and self.asked is not None and self.stack:
            expect = self.asked
        if self.polling:
            return
        numbers = self._known(event.names)
        for number in numbers:
            self._never_reaped(event, number)
        if expect is Expect.ALIVE:
            for number in numbers or self._named(event.names, create=any(map(PIDLIKE.search, event.names))):
                self.state.processes[number].lived = True
            return
        if not numbers and not event.needs_known:
            numbers = self._named(event.names, create=True) if event.names else self._unordered()
            if not numbers and not event.names and self.state.pause is not None and _COMMAND.search(event.text):
                numbers = [self.state.new(Process(pidlike=True))]  # `pgrep NAME`: whoever is called that
        for number in numbers:
            held = self.state.processes[number].short
            short = held if isinstance(held, Flaw) else None
            if short is not None and expect is Expect.DEAD:
                self._add(short)
            flaw = self._too_early(event, number, expect) if expect in (Expect.DEAD, Expect.VALUE) else None
            if expect is Expect.VALUE:
                self.last_look = _Stored(event, flaw or short)
            elif flaw is not None:
                self._add(flaw)
                process = self.state.processes[number]
                if flaw.confidence is Confidence.LIKELY:
                    process.ordered = process.reaped_beside = True  # said once is enough
        if not event.counts_zombies and event.alive is Alive.NULL:
            for number in numbers:
                self.state.processes[number].reaped = True

    def _never_reaped(self, event: Event, number: int) -> None:
        """zombie-counted-alive: asks by its pid whether an own child lives, which nothing in the file reaps."""
        process = self.state.processes[number]
        elsewhere = process.started is None and process.text and self.site == 0
        if (
            event.counts_zombies
            and process.own
            and not (process.reaped or process.reaped_beside or process.ordered or process.sent is not None)
            and not (self.current.auto_reaps or self.function.auto_reaps)
            and not (self.current.reaps or self.function.reaps)
            and (process.slept is not None or elsewhere)
        ):
            line = self._line(event.line)
            text = "nothing reaps this child, and a look by its pid finds it long after it has ended: ask poll or waitpid, or treat state Z as gone"  # noqa: E501
            self._add(Flaw(Mechanism.ZOMBIE_COUNTED_ALIVE, process.started or line, line, text))
            process.reaped_beside = True  # said once is enough

    def _too_early(self, event: Event, number: int, expect: Expect) -> Flaw | None:
        """check-before-exit, fixed-sleep, zombie-counted-alive, survivor: a look that has to find the process gone."""
        line = self._line(event.line)
        process = self.state.processes[number]
        sent = self._reaching(number)
        slept = process.slept_since_signal
        if (
            sent is None
            and process.slept is not None
            and process.own
            and process.started is not None
            and not process.ordered
        ):
            # No signal: it is taken to have ended by itself.
            sent, slept = Sent(process.started, Scope.LEADER, "", process.site), process.slept
        survivor = self._left_out(number)
        if survivor is not None:
            return Flaw(Mechanism.SURVIVOR, survivor[0].line, line, survivor[1])
        if self.state.paused is not None and (sent is None or process.ordered):
            return self._paused_after_stop(event, process, line)
        if sent is None and not process.ordered and self.state.pause is not None:
            return self._paused_before(event, process, line)
        if sent is None:
            return self._ended_by_others(event, number, line)
        if self._in_helper(sent.site):
            return None
        if sent.guessed and _SET_BY_WAIT.search(event.text):
            return None
        if process.ordered and (process.sent is not None or process.derived or process.pidlike):
            if process.reaped or process.reaped_beside or self.function.auto_reaps or not event.counts_zombies:
                return None
            if not process.own and not process.unreaped:
                return None
            text = "the process is dead but nobody reaped it, and this look still finds it: wait for it, or treat state Z as gone"  # noqa: E501
            return Flaw(Mechanism.ZOMBIE_COUNTED_ALIVE, sent.line, line, text)
        slept = slept or self._slept_since(sent)
        if slept is not None:
            text = f"a fixed sleep (line {slept}) stands for a wait: poll to a deadline, or wait on the process"
            return Flaw(Mechanism.FIXED_SLEEP, sent.line, line, text)
        text = "looks whether the process is gone right after the signal, which is delivered and handled later: poll to a deadline, or wait on the process"  # noqa: E501
        # A function or method that only its name is known of may well wait for whom it ends, if not for whom that made.
        named = process.own or process.pidlike or event.by_pid or event.counts_zombies
        sure = process.derived or (named and not sent.guessed)
        confidence = Confidence.LIKELY if sure else Confidence.POSSIBLE
        return Flaw(Mechanism.CHECK_BEFORE_EXIT, sent.line, line, text, confidence)

    def _paused_after_stop(self, event: Event, process: Process, line: int) -> Flaw | None:
        """fixed-sleep: `daemon.stop()`, a pause, and the process has to be gone.

        Nobody would pause if the call waited for the end.
        """
        stopped, paused = self.state.stopped, self.state.paused
        about_process = process.pidlike or process.own or process.derived or event.counts_zombies
        if stopped is None or not about_process or "hread" in event.text:
            return None
        text = f"a fixed sleep (line {paused}) stands for a wait: poll to a deadline, or wait on the process"
        return Flaw(Mechanism.FIXED_SLEEP, stopped, line, text)

    def _paused_before(self, event: Event, process: Process, line: int) -> Flaw | None:
        """fixed-sleep: a pause, and somebody else's process has to be gone, whatever was to end it."""
        pause = self.state.pause
        if self._in_helper(self.state.pause_site):
            return None  # the helper is judged for itself
        about_process = process.derived or process.pidlike or event.by_pid or event.counts_zombies
        if pause is None or process.own or "hread" in event.text or not about_process:
            return None
        text = "a fixed sleep stands for the wait until the process is gone: poll to a deadline"
        return Flaw(Mechanism.FIXED_SLEEP, pause, line, text)

    def _ended_by_others(self, event: Event, number: int, line: int) -> Flaw | None:
        """check-before-exit: a process that another one started has to be gone, and only others can have ended it.

        Whoever ended it can wait for its own children alone: a grandchild is reaped by init, some time later.
        """
        process = self.state.processes[number]
        called = [name for name, known in self.state.names.items() if known == number]
        about_process = event.by_pid or event.counts_zombies or any(map(PIDLIKE.search, (*called, *event.names)))
        seen = process.derived or (process.lived and not process.own)
        if not (seen and about_process) or process.ordered or not event.names or "hread" in event.text:
            return None
        if self._in_helper(process.site):
            return None  # the helper is judged for itself
        far = any(_FAR.search(said) for said in (*called, *event.names, event.text, *self.texts[-1:]))
        if not (far or event.by_pid or event.counts_zombies or process.lived):
            return None
        # What is to end it by its name, or was signalled and waited for, may have waited for it.
        sure = self.state.stopped is None and (far or (process.lived and not self.state.sent))
        confidence = Confidence.LIKELY if sure else Confidence.POSSIBLE
        text = "demands once that a process is gone which others end and reap, and nothing here waited for it: poll to a deadline"  # noqa: E501
        return Flaw(Mechanism.CHECK_BEFORE_EXIT, self.state.stopped or line, line, text, confidence)

    def _left_out(self, number: int) -> tuple[Sent, str] | None:
        """survivor: only the leader was signalled, or the member left the group, and the test looks for the member."""
        process = self.state.processes[number]
        if not process.derived or process.sent is not None:
            return None
        parents = (
            [process.parent]
            if process.parent is not None
            else [n for n in self.state.sent if self.state.processes[n].own]
        )
        for parent in parents:
            other = self.state.processes[parent]
            if other.sent is None or not other.own:
                continue
            script = other.text + " " + self.current.strings + " " + self.function.strings
            scope = None if other.sent.guessed else other.sent.scope
            if scope is Scope.LEADER and BACKGROUND.search(script) and not HANDLERS.search(script):
                return (
                    other.sent,
                    "only the leader is signalled, its background process never is: signal the group or use a backend that cannot be left",  # noqa: E501
                )
            if other.sent.scope is Scope.GROUP and LEAVES_GROUP.search(_inner(script)):
                return (
                    other.sent,
                    "the process leaves the group that is signalled (setsid, daemon): use a backend that cannot be left, or signal it by its own pid",  # noqa: E501
                )
        return None

    def _assign(self, event: Event) -> None:
        known = self._known(event.names)
        raises = self.current.language in ("python", "ruby") and "setpgid" in event.text
        if raises and not known and event.names and not event.tolerant and not self.stack:
            line = self._line(event.line)
            text = "fails for a process that has ended, or runs its program already: let the child do it before that, or accept the error"  # noqa: E501
            self._add(Flaw(Mechanism.ASSIGN_AFTER_EXIT, line, line, text))
        for number in known:
            process = self.state.processes[number]
            parent = self._parent(number)
            started = process.started if parent is None else parent.started
            script = self._expanded(f"{process.text} {parent.text if parent is not None else ''}")
            if event.to_program and (SHORT_LIVED.search(script) is None or _PIPED.search(event.text)):
                continue
            if self._in_helper(process.site) and self.current.file == self.function.file:
                continue  # the helper is judged for itself
            if (
                started is None
                or event.tolerant
                or SUSPENDED.search(process.text)
                or LONG_LIVED.search(script)
                or process.let_go
            ):
                continue
            flaw = Flaw(
                Mechanism.ASSIGN_AFTER_EXIT, started, self._line(event.line),
                "a child that has ended by now makes this fail: start it suspended or inside the job, or look at its exit and accept the error",  # noqa: E501
            )  # fmt: skip
            self.assigned.append((number, flaw))


def out_parameters(text: str, language: str) -> list[str]:
    """Return the variables that a call fills in: `&pi`, `out pi`."""
    if language in ("c", "cpp", "rust"):
        return re.findall(r"&(?:mut\s+)?(\w+)", text)
    return re.findall(r"\bout\s+(?:\w+\s+)?(\w+)", text) if language == "csharp" else []


def _inner(script: str) -> str:
    """Return the part of a start's source that the child runs: `start_new_session=True` of the leader is no leaving."""
    script = re.sub(r"setpgid\(0,\s*0\)", "", script)  # what the leader says of itself, in C
    bare = re.sub(
        r"start_new_session\s*=\s*True|preexec_fn\s*=\s*os\.setsid|detached:\s*true|process_group\s*=\s*0", "", script
    )
    return re.sub(r"([(\[]\s*)[\"'`]setsid\b", r"\1", bare)
