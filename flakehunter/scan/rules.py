"""The rules of the eight mechanisms: one state machine over events, for every language.

A process that was signalled is *unordered* until something waited for its end: its own blocking wait, or looks that
are repeated until the answer changes. A look at an unordered process that has to find it gone is the flaw; a pause
between the two makes it a `fixed-sleep`. What docs/mechanisms.md says of each mechanism is what the methods here do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flakehunter.model import Mechanism
from flakehunter.scan import expectation, idioms
from flakehunter.scan.durations import duration_s
from flakehunter.scan.events import (
    Alive,
    Aside,
    Branch,
    Call,
    Event,
    Expect,
    Flow,
    Function,
    Kind,
    Loop,
    Return,
    Scope,
    Step,
    Store,
    Use,
    events,
    walk,
)
from flakehunter.scan.processes import BACKGROUND, HANDLERS, LEAVES_GROUP, LONG_LIVED, PIDLIKE, SUSPENDED, Process, Sent, State, resources

SHORT_S = 2.0
"""A wait or poll with a time limit below this is too short for a loaded machine.

Time to death is milliseconds on an idle machine, but a CPU-starved process can need seconds until it runs its last
instructions; a second is reached under the stressors of `repro`, five are not.
"""
MAX_DEPTH = 4
"""How deep helpers of helpers are followed."""

Lookup = Callable[[str, Function], Function | None]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What the rules found in one function."""

    mechanism: Mechanism
    signal_line: int
    look_line: int
    message: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """A look whose answer was stored: a flaw, when the variable is asserted to say that the process is gone."""

    event: Event
    flaw: Flaw | None


def judge(function: Function, lookup: Lookup, *, spawned: Mapping[str, str] | None = None) -> list[Flaw]:
    """Return the flaws of `function`.

    `lookup` finds helpers and fixtures by name; `spawned` maps names that other functions of the file assign a
    process to (fixtures, `self.proc`) to the source that starts it.
    """
    machine = Machine(function, lookup, spawned or {})
    machine.run_all()
    return sorted(set(machine.flaws), key=lambda flaw: (flaw.look_line, flaw.signal_line, flaw.mechanism))


class Machine:
    """Walks through one function, and the helpers it calls, in the order in which they happen."""

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
        self.asked: Expect | None = None
        self.last_look: _Stored | None = None
        self.returned: int | None = None
        self.assigned: list[tuple[int, Flaw]] = []
        self.stack: list[str] = []
        self.texts: list[str] = []

    def run_all(self) -> None:
        """Run fixtures, the body, and what was deferred."""
        for parameter in self.function.parameters:
            fixture = self.lookup(f"fixture:{parameter}", self.function)
            if fixture is not None and fixture.name != self.function.name:
                self.returned = None
                self._enter(fixture, {}, self.function.line, None)
                if self.returned is not None:
                    self.state.names[parameter] = self.returned
                    made = self.state.processes[self.returned]
                    made.ready, made.sent = True, None
        self.run(self.function.flow)
        for flow in reversed(self.deferred):
            self.run(flow)
        self._finish()

    def run(self, flow: Flow) -> None:
        """Run the steps of `flow` in order."""
        for step in flow:
            self._step(step)

    def _step(self, step: Step) -> None:
        match step:
            case Event():
                self._event(step)
            case Store():
                self._store(step)
            case Use():
                self._used(step)
            case Call():
                self._call(step)
            case Branch():
                self._branch(step)
            case Loop():
                self._loop(step)
            case Aside():
                self._aside(step)
            case Return():
                found = [number for name in step.names if (number := self.state.find(name)) is not None]
                if found:
                    self.returned = found[0]

    # ---- control flow ----

    def _branch(self, step: Branch) -> None:
        before = self.state
        after: list[State] = []
        for alternative, jumps in zip(step.alternatives, step.jumps, strict=True):
            self.state = before.copy()
            self.run(alternative)
            if not jumps:
                after.append(self.state)
        self.state = before.copy()
        if len(step.alternatives) == 1:
            after.append(before)
        if after:
            self.state.merge(before, after)

    def _aside(self, step: Aside) -> None:
        if step.deferred:
            if not self.stack:
                self.deferred.append(step.body)
            return
        waited = [n for e in events(step.body, Kind.WAIT) for n in self._known(e.names)]
        before = self.state
        self.state = before.copy()
        for process in self.state.processes.values():
            process.ready = True  # nobody knows when it runs
        self.run(step.body)
        self.state = before
        for number in waited:
            # Another thread reaps it: no zombie stays, but nothing here is ordered by that.
            self.state.processes[number].reaped_beside = True

    def _loop(self, step: Loop) -> None:
        polls = step.polls or (bool(step.names) and self._polls_by_helper(step))
        if not polls:
            pauses = any(events(step.body, Kind.SLEEP))
            self.polling += 1 if step.names and pauses else 0
            self.run(step.body)
            if step.names and pauses:
                self.polling -= 1
                self._all_ordered()
                self._all_ready()
            return
        looked = self._looked_at(step.body)
        self.polling += 1
        self.run(step.body)
        self.polling -= 1
        self._polled(step, looked)

    def _polls_by_helper(self, step: Loop) -> bool:
        for inner in walk(step.body):
            if isinstance(inner, Call):
                helper = self.lookup(inner.name, self.current)
                if helper is not None and any(events(helper.flow, Kind.LOOK, Kind.WAIT)):
                    return True
        return False

    def _looked_at(self, flow: Flow) -> list[tuple[int, bool]]:
        """Return the processes that a poll looks at, and whether the look counts zombies as alive."""
        found: list[tuple[int, bool]] = []
        for step in walk(flow):
            if isinstance(step, Event) and step.kind is Kind.LOOK:
                found.extend((n, step.counts_zombies) for n in self._named(step.names, create=bool(step.names)))
            elif isinstance(step, Call):
                helper = self.lookup(step.name, self.current)
                looks = list(events(helper.flow, Kind.LOOK)) if helper is not None and helper.name not in self.stack else []
                names = tuple(n for arg in step.args for n in arg) + step.receiver
                if looks or idioms.looks(step.name):
                    zombies = bool(looks) and all(e.counts_zombies for e in looks) and not any(events(helper.flow, Kind.WAIT)) if helper else False
                    found.extend((n, zombies) for n in self._known(names))
        return found

    def _polled(self, step: Loop, looked: list[tuple[int, bool]]) -> None:
        line = self._line(step.line)
        reaps = any(events(step.body, Kind.WAIT)) or any(e.kind is Kind.LOOK and not e.counts_zombies for e in events(step.body, Kind.LOOK))
        for number, counts_zombies in looked:
            process = self.state.processes[number]
            sent = self._reaching(number)
            survivor = self._left_out(number)
            if survivor is not None:
                self._flaw(Mechanism.SURVIVOR, survivor[0], line, survivor[1])
            if (
                counts_zombies
                and process.own
                and sent is not None
                and not (process.reaped or process.reaped_beside or reaps or self.current.auto_reaps or self.function.auto_reaps)
            ):
                self._flaw(
                    Mechanism.ZOMBIE_COUNTED_ALIVE, sent, line,
                    "polls with a look that still finds a zombie, and nothing reaps this child: wait for it, or treat state Z as gone",
                )  # fmt: skip
            elif sent is not None and not process.ordered and step.deadline_s is not None and step.deadline_s < SHORT_S:
                self._flaw(
                    Mechanism.DEADLINE_TOO_SHORT, sent, line,
                    f"polls for {step.deadline_s:g} s at most, which a loaded machine can exceed: allow many times the measured time to death",
                )  # fmt: skip
            process.ordered = True
            process.reaped = process.reaped or reaps
        if not looked:
            self._all_ordered(derived=True)
        self._all_ready()

    def _call(self, step: Call) -> None:
        names = tuple(n for arg in step.args for n in arg)
        helper = self.lookup(step.name, self.current) if not _of_a_field(step) else None
        if helper is not None and helper.name not in self.stack and len(self.stack) < MAX_DEPTH:
            arguments = self._arguments(helper, step)
            self._enter(helper, arguments, step.line, step)
            return
        known = self._known(names + step.receiver)
        if idioms.POLLING.search(step.path) and step.expect is Expect.LOOP:
            for number in known:
                self.state.processes[number].ordered = True
            if not known:
                self._all_ordered()
            self._all_ready()
        elif idioms.looks(step.name):
            if known and (names or step.receiver):
                alive = Alive.FALSE if idioms.DEAD_NAME.search(step.name) else Alive.TRUE
                self._look(Event(Kind.LOOK, step.line, names or step.receiver, step.text, alive=alive, expect=step.expect))
        elif idioms.KILLING.search(step.name):
            self._unknown_kill(step, known)
        elif idioms.WAITING.search(step.name):
            for number in known:
                process = self.state.processes[number]
                process.ordered = process.reaped = process.ready = True
            if not known:
                self._all_ordered(derived=False)
            if idioms.READYING.search(step.name):
                self._all_ready()
        elif step.name in idioms.ADDING and step.receiver:
            given = self._known(names)
            made = [n for n, p in self.state.processes.items() if p.own]
            if (given or made) and step.receiver[0] not in self.state.names:
                self.state.names[step.receiver[0]] = given[0] if given else made[-1]
        elif idioms.READYING.search(step.name) and not idioms.READING_FILE.search(step.path):
            self._all_ready()

    def _unknown_kill(self, step: Call, known: list[int]) -> None:
        whole = any(word in step.name.lower() for word in ("tree", "group", "all"))
        scope = Scope.TREE if whole else Scope.LEADER
        waits = "wait" in step.name.lower() or (step.awaited and not whole)
        for number in known:
            self._send(number, Sent(self._line(step.line), scope, "KILL", self.site))
            if waits:
                self.state.processes[number].ordered = True

    def _arguments(self, helper: Function, step: Call) -> dict[str, int]:
        given: dict[str, int] = {}
        holder = self._named(step.receiver, create=False)
        if holder:
            given |= dict.fromkeys(("self", "this"), holder[0])
        parameters = [p for p in helper.parameters if p not in ("self", "cls", "this")]
        if helper.language in ("rust", "php", "python") and len(parameters) == len(step.args) + 1 and step.receiver:
            parameters = parameters[1:]
        for parameter, names in zip(parameters, step.args, strict=False):
            found = self._named(names, create=False)
            if found:
                given[parameter] = found[0]
            elif names and any(events(self.function.flow, Kind.SIGNAL, Kind.LOOK)) and ("pid" in names[0].lower() or "proc" in names[0].lower()):
                given[parameter] = self._named(names, create=True)[0]
        return given

    def _enter(self, helper: Function, arguments: dict[str, int], line: int, step: Call | None) -> None:
        """Run a helper in place: its parameters mean the arguments, its lines are the line of the call."""
        saved = (self.current, self.call_line, self.site, self.asked, self.returned)
        outer = dict(self.state.names)
        if "self" in arguments and step is not None and step.receiver[:1] not in (("self",), ("this",)):
            outer_self = {n: v for n, v in outer.items() if n in ("self", "this") or n.startswith(("self.", "this."))}
            outer = {n: v for n, v in outer.items() if n not in outer_self}
        else:
            outer_self = {}
        self.stack.append(helper.name)
        self.texts.append(step.text if step is not None else "")
        if self.call_line is None:
            self.call_line = line
            self.sites += 1
            self.site = self.sites
        self.current = helper
        if step is not None:
            self.asked = step.expect if step.expect is not Expect.VALUE or self.asked is None else self.asked
        self.returned = None
        self.state.names = {**outer, **arguments}
        self.polling += 1 if helper.retries else 0
        self.run(_until_yield(helper.flow))
        self.polling -= 1 if helper.retries else 0
        shared = {n: v for n, v in self.state.names.items() if n.startswith(("self.", "this.", "@")) or (n in ("self", "this") and n not in arguments) or (n in outer and n not in arguments)}
        made = self.returned
        if helper.name in ("__init__", "constructor", "__construct") or (step is not None and step.name[:1].isupper() and step.name == helper.name):
            held = [v for n, v in self.state.names.items() if n.startswith(("self", "this")) and (n not in outer or outer[n] != v)]
            made = held[0] if held else made
            if made is not None:
                self.state.processes[made].wrapped = True
            shared = {n: v for n, v in shared.items() if n in outer}
        self.state.names = {**outer, **shared, **outer_self}
        self.stack.pop()
        self.texts.pop()
        self.current, self.call_line, self.site, self.asked, self.returned = saved
        if made is not None:
            self.returned = made

    # ---- events ----

    def _event(self, event: Event) -> None:
        if event.instead is not None and self._is_own_object(event):
            self._call(event.instead)
            return
        match event.kind:
            case Kind.BUILD | Kind.SPAWN:
                self._spawn(event)
            case Kind.SIGNAL:
                self._signal(event)
            case Kind.WAIT:
                self._wait(event)
            case Kind.LOOK:
                self._look(event)
            case Kind.SLEEP:
                self._sleep(event)
            case Kind.BIND:
                self._bind(event)
            case Kind.ASSIGN:
                self._assign(event)
            case Kind.READY:
                self._all_ready(self._known(event.names))
            case Kind.USE:
                self._use(event)
            case Kind.EFFECT:
                self._effect(event)
            case Kind.REAPER:
                for number in self._known(event.names) or list(self.state.processes):
                    self.state.processes[number].reaped_beside = True
            case Kind.GATE:
                for number in self._known(event.names) or [n for n, p in self.state.processes.items() if p.own]:
                    self.state.processes[number].let_go = True

    def _is_own_object(self, event: Event) -> bool:
        """Whether the receiver is an object of a class of the project, whose method was found."""
        assert event.instead is not None
        known = self._known(event.names)
        if known and not self.state.processes[known[0]].wrapped:
            return False
        helper = self.lookup(event.instead.name, self.current) if not _of_a_field(event.instead) else None
        return helper is not None and helper.name not in self.stack and len(self.stack) < MAX_DEPTH

    def _spawn(self, event: Event) -> None:
        line = self._line(event.line)
        known = self._known(event.names)
        source = self._expanded(event.text)
        words = resources(source)
        if event.kind is Kind.SPAWN and not self.polling:
            self._resource(words, line, "started again")
        if known and event.kind is Kind.SPAWN:
            process = self.state.processes[known[0]]
            process.started, process.own, process.ready, process.ordered, process.site = line, True, False, False, self.site
            process.sent, process.slept_since_start = None, None
            self.returned = known[0]
            return
        started = line if event.kind is Kind.SPAWN else None
        number = self.state.new(Process(own=True, started=started, text=source, words=words, ready=self.polling > 0, site=self.site))
        self.returned = number
        for name in _out_parameters(event.text, self.current.language):
            self.state.names[name] = number

    def _signal(self, event: Event) -> None:
        line = self._line(event.line)
        if event.scope is Scope.OPAQUE:
            targets = [n for n, p in self.state.processes.items() if not p.ordered or p.sent is None]
            if not targets or not any(self.state.processes[n].own for n in targets):
                targets.append(self.state.new(Process()))
        else:
            targets = self._named(event.names, create=not event.needs_known)
        for number in targets:
            self._readiness(number, event, line)
            if event.signal not in idioms.HARMLESS:
                self._send(number, Sent(line, event.scope, event.signal, self.site))

    def _send(self, number: int, sent: Sent) -> None:
        process = self.state.processes[number]
        process.sent, process.ordered, process.slept_since_signal = sent, False, None
        self.state.sent = [n for n in self.state.sent if n != number] + [number]

    def _readiness(self, number: int, event: Event, line: int) -> None:
        """signal-before-ready: a child that handles signals is signalled before it can have said so."""
        process = self.state.processes[number]
        if not process.own or process.ready or process.started is None or event.signal in ("KILL", "STOP", "CONT", "0") or process.let_go:
            return
        handles = HANDLERS.search(process.text) or HANDLERS.search(self.current.strings) or HANDLERS.search(self.function.strings)
        if not handles and event.signal not in ("USR1", "USR2"):
            return
        if process.site == self.site and self.site != 0:
            return
        slept = process.slept_since_start
        how = "before it can have set its handler" if slept is None else f"after a fixed sleep (line {slept}), set its handler by then or not"
        self._flaw(
            Mechanism.SIGNAL_BEFORE_READY, Sent(line, Scope.LEADER, "", -1), process.started,
            f"signals the child {how}: wait for a line it prints when ready",
        )  # fmt: skip
        process.ready = True

    def _wait(self, event: Event) -> None:
        numbers = self._known(event.names)
        if not event.names and not event.needs_known:
            numbers = [n for n, p in self.state.processes.items() if not p.derived]
        elif not numbers and not event.needs_known:
            numbers = self._named(event.names[:1], create=True)
        limit_s = event.timeout_s if event.timeout_s is not None else self._given(event.limit_name)
        for number in numbers:
            process = self.state.processes[number]
            if (
                limit_s is not None
                and 0 < limit_s < SHORT_S
                and not event.tolerant
                and not self.polling
                and process.sent is not None
                and not process.ordered
            ):
                self._flaw(
                    Mechanism.DEADLINE_TOO_SHORT, process.sent, self._line(event.line),
                    f"waits {limit_s:g} s at most, which a loaded machine can exceed: allow many times the measured time to death",
                )  # fmt: skip
            process.ordered = process.ready = True
            process.reaped = process.reaped or event.reaps
            process.unreaped = process.unreaped or not event.reaps

    def _given(self, name: str) -> float | None:
        """Return the time limit that a caller gave a helper by name, in seconds."""
        for text in reversed(self.texts) if name else ():
            found = re.search(rf"\b{name}\s*[=:]\s*([^,)]+)", text)
            if found:
                return duration_s(found[1])
        return None

    def _sleep(self, event: Event) -> None:
        if self.polling:
            return
        line = self._line(event.line)
        for number, process in self.state.processes.items():
            if not process.ordered and self._reaching(number) is not None:
                process.slept_since_signal = line
            process.slept = line
            if process.started is not None and not process.ready and process.sent is None:
                process.slept_since_start = line

    def _look(self, event: Event) -> None:
        expect = event.expect
        if expect in (Expect.VALUE, Expect.NEUTRAL) and self.asked is not None and self.stack:
            expect = self.asked
        if self.polling or expect is Expect.ALIVE:
            return
        numbers = self._known(event.names)
        if not numbers and not event.needs_known:
            numbers = self._named(event.names, create=True) if event.names else self._unordered()
        for number in numbers:
            flaw = self._too_early(event, number, expect) if expect in (Expect.DEAD, Expect.VALUE) else None
            if expect is Expect.VALUE:
                self.last_look = _Stored(event, flaw)
            elif flaw is not None:
                self._add(flaw)
        if not event.counts_zombies and event.alive is Alive.NULL:
            for number in numbers:
                self.state.processes[number].reaped = True

    def _too_early(self, event: Event, number: int, expect: Expect) -> Flaw | None:
        """check-before-exit, fixed-sleep, zombie-counted-alive, survivor: a look that has to find the process gone."""
        line = self._line(event.line)
        process = self.state.processes[number]
        sent = self._reaching(number)
        if sent is None and expect is Expect.DEAD and process.own and process.started is not None and not process.ordered:
            # No signal: it is taken to have ended by itself.
            sent = Sent(process.started, Scope.LEADER, "", process.site)
            process.slept_since_signal = process.slept
        if sent is None or (sent.site == self.site and self.site != 0):
            return None
        survivor = self._left_out(number)
        if survivor is not None:
            return Flaw(Mechanism.SURVIVOR, survivor[0].line, line, survivor[1])
        if process.ordered and (process.sent is not None or process.derived):
            if process.reaped or process.reaped_beside or self.function.auto_reaps or not event.counts_zombies:
                return None
            if not process.own and not process.unreaped:
                return None
            text = "the process is dead but nobody reaped it, and this look still finds it: wait for it, or treat state Z as gone"
            return Flaw(Mechanism.ZOMBIE_COUNTED_ALIVE, sent.line, line, text)
        slept = process.slept_since_signal or self._slept_since(sent)
        if slept is not None:
            text = f"a fixed sleep (line {slept}) stands for a wait: poll to a deadline, or wait on the process"
            return Flaw(Mechanism.FIXED_SLEEP, sent.line, line, text)
        text = "looks whether the process is gone right after the signal, which is delivered and handled later: poll to a deadline, or wait on the process"
        return Flaw(Mechanism.CHECK_BEFORE_EXIT, sent.line, line, text)

    def _slept_since(self, sent: Sent) -> int | None:
        return next((p.slept_since_signal for p in self.state.processes.values() if p.sent == sent and p.slept_since_signal), None)

    def _reaching(self, number: int) -> Sent | None:
        """Return the signal that was to end the process: its own, or one to its group, tree or parent."""
        process = self.state.processes[number]
        if process.sent is not None:
            return process.sent
        if process.own:
            return None
        parents = [process.parent] if process.parent is not None else [n for n in reversed(self.state.sent) if n != number]
        for parent in parents:
            other = self.state.processes[parent]
            if other.sent is not None and (process.derived or (process.pidlike and other.sent.scope is not Scope.LEADER)):
                return other.sent
        return None

    def _left_out(self, number: int) -> tuple[Sent, str] | None:
        """survivor: only the leader was signalled, or the member left the group, and the test looks for the member."""
        process = self.state.processes[number]
        if not process.derived or process.sent is not None:
            return None
        parents = [process.parent] if process.parent is not None else [n for n in self.state.sent if self.state.processes[n].own]
        for parent in parents:
            other = self.state.processes[parent]
            if other.sent is None or not other.own:
                continue
            script = other.text + " " + self.current.strings + " " + self.function.strings
            if other.sent.scope is Scope.LEADER and BACKGROUND.search(script) and not HANDLERS.search(script):
                return other.sent, "only the leader is signalled, its background process never is: signal the group or use a backend that cannot be left"
            if other.sent.scope is Scope.GROUP and LEAVES_GROUP.search(_inner(script)):
                return other.sent, "the process leaves the group that is signalled (setsid, daemon): use a backend that cannot be left, or signal it by its own pid"
        return None

    def _bind(self, event: Event) -> None:
        if self.polling or event.tolerant:
            return
        self._resource(resources(event.text), self._line(event.line), "used again")

    def _resource(self, words: frozenset[str], line: int, what: str) -> None:
        """resource-still-held: a port, file or directory of a signalled process is used before its exit."""
        for number, process in list(self.state.processes.items()):
            sent = process.sent if not process.derived or process.sent is not None else self._reaching(number)
            if sent is None or sent.scope is Scope.OPAQUE or process.ordered or (sent.site == self.site and self.site != 0):
                continue
            shared = sorted(words & process.words)
            if not shared and not (words and not process.own and not process.words and not process.derived):
                continue
            name = (shared or sorted(words))[0]
            slept = "" if process.slept_since_signal is None else f" (the sleep on line {process.slept_since_signal} may be too short)"
            self._flaw(
                Mechanism.RESOURCE_STILL_HELD, sent, line,
                f"{name} is {what} while the signalled process may still hold it{slept}: wait on the process first",
            )  # fmt: skip
            process.ordered = True

    def _assign(self, event: Event) -> None:
        for number in self._known(event.names):
            process = self.state.processes[number]
            started = process.started
            if process.site == self.site and self.site != 0 and self.current.file == self.function.file:
                continue  # the helper is judged for itself
            if started is None or event.tolerant or SUSPENDED.search(process.text) or LONG_LIVED.search(process.text) or process.let_go:
                continue
            flaw = Flaw(
                Mechanism.ASSIGN_AFTER_EXIT, started, self._line(event.line),
                "a child that has ended by now makes this fail: start it suspended or inside the job, or look at its exit and accept the error",
            )  # fmt: skip
            self.assigned.append((number, flaw))

    def _use(self, event: Event) -> None:
        if self.polling:
            return
        line = self._line(event.line)
        for process in self.state.processes.values():
            if not process.own or process.started is None or process.ready or process.sent is not None:
                continue
            if process.slept_since_start is not None:
                self._flaw(
                    Mechanism.FIXED_SLEEP, Sent(process.started, Scope.LEADER, "", -1), line,
                    f"a fixed sleep (line {process.slept_since_start}) stands for the wait until the child is ready: poll to a deadline",
                )  # fmt: skip
                process.ready = True

    def _effect(self, event: Event) -> None:
        """fixed-sleep: what the signalled process leaves behind is asserted after a pause."""
        for process in self.state.processes.values():
            if process.sent is not None and not process.ordered and process.slept_since_signal is not None and not self.polling:
                self._flaw(
                    Mechanism.FIXED_SLEEP, process.sent, self._line(event.line),
                    f"a fixed sleep (line {process.slept_since_signal}) stands for the wait until the process has done this: wait on it, or poll to a deadline",
                )  # fmt: skip
                return

    # ---- variables ----

    def _store(self, step: Store) -> None:
        made_before, look_before = self.returned, self.last_look
        self.returned, self.last_look = None, None
        before = set(self.state.processes)
        self.run(step.value)
        made, look = self.returned, self.last_look
        self.returned, self.last_look = made_before, look_before
        for target in step.targets:
            self.state.looks.pop(target, None)
        if look is not None:
            for target in step.targets:
                self.state.looks[target] = look
        if made is not None and not (step.derived and made in before):
            for target in step.targets:
                self.state.names[target] = made
            return
        known = self._known(step.names) if made is None else [made]
        if step.derived and not any(self.state.processes[n].derived and name in step.names for name, n in self.state.names.items()):
            self._derive(step, known)
        elif known and look is None:
            for target in step.targets:
                if target not in _ANSWERS:
                    self.state.names[target] = known[0]

    def _derive(self, step: Store, known: list[int]) -> None:
        """A pid that was read: from a pipe of the parent, which is ready then, or from a file that may not be there."""
        own = [n for n, p in self.state.processes.items() if p.own]
        parent = known[0] if known else (own[-1] if own else None)
        held = resources(" ".join(step.targets)) if not any(PIDLIKE.search(target) for target in step.targets) else frozenset()
        if held and parent is not None and not BACKGROUND.search(self.state.processes[parent].text):
            # A port or path that the child has printed: what it holds, no process.
            self.state.processes[parent].words |= held
            self.state.processes[parent].ready = True
            return
        number = self.state.new(Process(derived=True, parent=parent, ready=True, words=held))
        for target in step.targets:
            self.state.names[target] = number
        if parent is None:
            return
        process = self.state.processes[parent]
        if step.from_file and not process.ready and process.started is not None and not self.polling:
            self._unready_file(process, self._line(step.line))
        process.ready = True

    def _unready_file(self, process: Process, line: int) -> None:
        assert process.started is not None
        start = Sent(process.started, Scope.LEADER, "", -1)
        if process.slept_since_start is not None:
            self._flaw(
                Mechanism.FIXED_SLEEP, start, line,
                f"a fixed sleep (line {process.slept_since_start}) stands for the wait until the child wrote its pid: poll for the file to a deadline",
            )  # fmt: skip
        else:
            self._flaw(
                Mechanism.SIGNAL_BEFORE_READY, start, line,
                "reads the pid before the child can have written it: wait for a line it prints when ready, or poll for the file",
            )  # fmt: skip

    def _used(self, step: Use) -> None:
        for name in step.names:
            look = self.state.looks.get(name)
            if not isinstance(look, _Stored) or self.polling:
                continue
            alive = look.event.alive
            if self.current.language == "bash" and ("-eq" in step.text or "-ne" in step.text or "==" in step.text or "!=" in step.text):
                alive = Alive.ZERO
            if step.branch == "assert":
                expect = expectation.wants(step.text, alive)
            else:
                expect = expectation.of_branch(step.text, alive, "fail" if step.branch == "then-fails" else "", "fail" if step.branch == "else-fails" else "")
            if expect is Expect.DEAD and step.branch and look.flaw is not None:
                self._add(look.flaw)
                self.state.looks.pop(name, None)

    def _known(self, names: tuple[str, ...]) -> list[int]:
        """Return the processes that `names` mean, seen before here or started by another function of the file."""
        found: list[int] = []
        for name in names:
            number = self.state.find(name)
            if number is None and name in self.spawned:
                number = self.state.new(Process(own=True, started=None, text=self.spawned[name], words=resources(self.spawned[name]), ready=True))
                self.state.names[name] = number
            if number is not None and number not in found:
                found.append(number)
        return found

    def _named(self, names: tuple[str, ...], *, create: bool) -> list[int]:
        known = self._known(names)
        if known or not create:
            return known[:1]
        if not names:
            return []
        number = self.state.new(Process(pidlike=PIDLIKE.search(names[0]) is not None))
        self.state.names[names[0]] = number
        return [number]

    def _unordered(self) -> list[int]:
        return [n for n, p in self.state.processes.items() if p.sent is not None and not p.ordered][-1:]

    def _all_ordered(self, *, derived: bool = True) -> None:
        for process in self.state.processes.values():
            if derived or not process.derived:
                process.ordered = process.ordered or process.sent is not None or process.derived
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

    def _line(self, line: int) -> int:
        return line if self.call_line is None else self.call_line

    def _flaw(self, mechanism: Mechanism, sent: Sent, look_line: int, message: str) -> None:
        self._add(Flaw(mechanism, sent.line, look_line, message))

    def _add(self, flaw: Flaw) -> None:
        if not any(f.mechanism is flaw.mechanism and f.look_line == flaw.look_line for f in self.flaws):
            self.flaws.append(flaw)

    def _finish(self) -> None:
        for number, flaw in self.assigned:
            process = self.state.processes.get(number)
            if process is None or not process.let_go:
                self.flaws.append(flaw)


_ANSWERS = frozenset("err error e ok status code rc ret out output stdout stderr result res exit_code exitCode".split())
"""Names of what a call answered, which never mean the process itself."""


def _until_yield(flow: Flow) -> Flow:
    """Return what a fixture or context manager does before the test runs; its clean-up comes after the test."""
    for index, step in enumerate(flow):
        if isinstance(step, Return) and step.yields:
            return flow[: index + 1]
    return flow


def _of_a_field(call: Call) -> bool:
    """Whether `self._thread.start()` is called: a method of something that the object holds, not of the object."""
    if call.path.partition(".")[0] in _MODULES:
        return True
    return bool(call.receiver) and call.receiver[0].startswith(("self.", "this.", "@")) and call.name in _COMMON


_MODULES = frozenset("os sys time subprocess signal shutil socket fs path process console JSON Math syscall io fmt strings asyncio select logging threading".split())
_COMMON = frozenset("start stop wait kill terminate close join poll run send read write get put set release acquire shutdown cancel clear notify".split())


def _out_parameters(text: str, language: str) -> list[str]:
    """Return the variables that a call fills in: `&pi`, `out pi`."""
    if language in ("c", "cpp", "rust"):
        return re.findall(r"&(?:mut\s+)?(\w+)", text)
    return re.findall(r"\bout\s+(?:\w+\s+)?(\w+)", text) if language == "csharp" else []


def _inner(script: str) -> str:
    """Return the part of a start's source that the child runs: `start_new_session=True` of the leader is no leaving."""
    bare = re.sub(r"start_new_session\s*=\s*True|preexec_fn\s*=\s*os\.setsid|detached:\s*true|process_group\s*=\s*0", "", script)
    return re.sub(r"([(\[]\s*)[\"'`]setsid\b", r"\1", bare)
