"""The rules of the eight mechanisms: one state machine over events, for every language.

A process that was signalled is *unordered* until something waited for its end: its own blocking wait, or looks that
are repeated until the answer changes. A look at an unordered process that has to find it gone is the flaw; a pause
between the two makes it a `fixed-sleep`. What docs/mechanisms.md says of each mechanism is what the methods here do.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from flakehunter.model import Mechanism
from flakehunter.scan import expectation, idioms
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
from flakehunter.scan.following import Following
from flakehunter.scan.mechanisms import out_parameters
from flakehunter.scan.processes import (
    ANSWERS,
    BACKGROUND,
    PIDLIKE,
    Process,
    Sent,
    State,
    resources,
)
from flakehunter.scan.tracking import Flaw, Lookup, _Stored
from flakehunter.scan.waiting import SHORT_S

_OF_PID = re.compile(r"pid", re.IGNORECASE)
_RAISING = frozenset(["python", "ruby", "javascript", "typescript", "tsx", "java", "kotlin", "csharp"])
_DENIES = re.compile(r"None|null|nil|undefined|False|false|\bnot @|!\s*@|\"\"|''|isEmpty|NotExist")


def _writes(process: Process, step: Store) -> bool:
    """Whether the start of a process names the file that a pid is read from, or any pid at all."""
    parts = [name.rpartition(".")[2] for name in step.names]
    return "pid" in process.text.lower() or not parts or any(part in process.text for part in parts)


def _started_by_name(step: Store) -> Call | None:
    """Return the call that says by its name that it answers a process; None where the value is something else."""
    last = step.value[-1] if step.value and not step.derived else None
    return last if isinstance(last, Call) and idioms.STARTING.search(last.name) else None


def _polls_for(deadline_s: float) -> str:
    return f"polls for {deadline_s:g} s at most, which a loaded machine can exceed: allow many times the measured time to death"  # noqa: E501


class Machine(Following):
    """Walks through one function, and the helpers it calls, in the order in which they happen."""

    def run_all(self) -> None:
        """Run fixtures, the body, and what was deferred."""
        for parameter in self.function.parameters:
            if parameter in ("self", "cls"):
                continue
            fixture = self.lookup(f"fixture:{parameter}", self.function)
            if fixture is not None and fixture.name != self.function.name:
                self.returned = None
                self._enter(fixture, {}, self.function.line, None)
                if self.returned is not None:
                    self.state.names[parameter] = self.returned
                    made = self.state.processes[self.returned]
                    made.ready, made.sent = made.slept_since_start is None, None
        for hook in self.function.hooks:
            self._set_up(hook)
        self.run(self.function.flow)
        for flow in reversed(self.deferred):
            self.run(flow)
        self._left_running()
        self._finish()

    def _set_up(self, hook: Function) -> None:
        """Run what the test runner calls before the test; only a pause there leaves its processes unready."""
        self.current = hook
        self.run(hook.flow)
        self.current, self.returned = self.function, None
        for process in self.state.processes.values():
            process.ready = process.ready or process.slept_since_start is None

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
                for look in (self.state.looks.get(name) for name in step.names if self.stack):
                    self.last_look = look if isinstance(look, _Stored) else self.last_look
                found = [number for name in step.names if (number := self.state.find(name)) is not None]
                if found:
                    self.returned = found[0]
                    self.given_back.update(found[: 0 if self.stack else 1])

    def _branch(self, step: Branch) -> None:
        before = self.state
        after: list[State] = []
        left: list[State] = []
        for index, (alternative, jumps) in enumerate(zip(step.alternatives, step.jumps, strict=True)):
            self.state = before.copy()
            short = dict(self.short)
            self.run(alternative)
            if step.fails and step.fails[index]:
                self.short = short | self.short
            (left if jumps else after).append(self.state)
        self.state = before.copy()
        if len(step.alternatives) == 1:
            after.append(before)
        if after:
            self.state.merge(before, after)
        if self.returned is not None and self.returned not in self.state.processes:
            # `if …: return Popen(…)`: the caller holds what was started on the way out.
            made = next((s.processes[self.returned] for s in left if self.returned in s.processes), None)
            if made is None:
                self.returned = None
            else:
                self.state.processes[self.returned] = made

    def _aside(self, step: Aside) -> None:
        if step.deferred:
            if not self.stack or step.of_helper:
                self.deferred.append(step.body)
            return
        waited = [n for e in events(step.body, Kind.WAIT) for n in self._known(e.names)]
        before = self.state
        self.state = before.copy()
        for process in self.state.processes.values():
            process.ready = True  # nobody knows when it runs
        self.beside += 1
        self.run(step.body)
        self.beside -= 1
        for number, process in before.processes.items():
            seen = self.state.processes[number]
            if process.started is None and process.own and seen.started is not None and seen.ready:
                process.started, process.ready, process.reaped_beside = seen.started, True, True
        self.state, self.returned = before, None  # what else it starts is unknown here
        for number in waited:
            # Another thread reaps it: no zombie stays, but nothing here is ordered by that.
            self.state.processes[number].reaped_beside = True

    def _loop(self, step: Loop) -> None:
        if step.deadline_s is None and step.limit_name:
            step = replace(step, deadline_s=self._given(step.limit_name, step.limit_unit_s))
        polls = step.polls or (bool(step.names) and self._polls_by_helper(step))
        if not polls:
            pauses = any(events(step.body, Kind.SLEEP))
            self.polling += 1 if step.names and pauses else 0
            self.loops.append(self._line(step.line))
            self.run(step.body)
            self.loops.pop()
            if step.names and pauses:
                self.polling -= 1
                self._all_ordered()
                self._all_ready()
            return
        looked = self._looked_at(step.body)
        sent_before = {number: self.state.processes[number].sent for number, _, _ in looked}
        self.polling += 1
        self.run(step.body)
        self.polling -= 1
        escalated = {n for n, sent in sent_before.items() if self.state.processes[n].sent != sent}
        self._polled(step, looked, escalated)

    def _polls_by_helper(self, step: Loop) -> bool:
        for inner in walk(step.body):
            if isinstance(inner, Call):
                helper = self.lookup(inner.name, self.current)
                if helper is not None and any(events(helper.flow, Kind.LOOK, Kind.WAIT)):
                    return True
        return False

    def _looked_at(self, flow: Flow) -> list[tuple[int, bool, Expect]]:
        """Return the processes that a poll looks at, whether the look counts zombies, and what it is for."""
        found: list[tuple[int, bool, Expect]] = []
        for step in walk(flow):
            if isinstance(step, Event) and step.kind is Kind.LOOK:
                numbers = self._named(step.names, create=bool(step.names))
                found.extend((n, step.counts_zombies, step.expect) for n in numbers)
            elif isinstance(step, Call):
                helper = self.lookup(step.name, self.current)
                looks = (
                    list(events(helper.flow, Kind.LOOK)) if helper is not None and helper.name not in self.stack else []
                )
                names = tuple(n for arg in step.args for n in arg) + step.receiver
                if looks or idioms.looks(step.name):
                    zombies = (
                        bool(looks) and all(e.counts_zombies for e in looks) and not any(events(helper.flow, Kind.WAIT))
                        if helper
                        else False
                    )
                    numbers = self._known(names)
                    if not numbers and step.expect is Expect.DEAD and step.args and _OF_PID.search(step.text):
                        numbers = self._named(step.args[0], create=True)
                    found.extend((n, zombies, step.expect) for n in numbers)
        return found

    def _polled(self, step: Loop, looked: list[tuple[int, bool, Expect]], escalated: set[int]) -> None:
        line, stopped = self._line(step.line), self.state.stopped
        self.state.waited()
        reaps = any(events(step.body, Kind.WAIT)) or any(
            e.kind is Kind.LOOK and not e.counts_zombies for e in events(step.body, Kind.LOOK)
        )
        for number, counts_zombies, expect in looked:
            process = self.state.processes[number]
            sent = self._reaching(number)
            ends = sent
            if sent is None and expect is Expect.OUTLASTED and process.started is not None:
                ends = Sent(process.started, Scope.LEADER, "", process.site)  # by itself, some time
            kept = process.started is None and process.own and process.ready
            if ends is None and kept and not (self.current.reaps or self.function.reaps):
                ends = Sent(line, Scope.LEADER, "", process.site)  # started by another function, and reaped by none
            survivor = self._left_out(number)
            if survivor is not None:
                self._flaw(Mechanism.SURVIVOR, survivor[0], line, survivor[1])
            if (
                counts_zombies
                and process.own
                and ends is not None
                and not (
                    process.reaped
                    or process.reaped_beside
                    or reaps
                    or self.current.auto_reaps
                    or self.function.auto_reaps
                )
            ):
                self._flaw(
                    Mechanism.ZOMBIE_COUNTED_ALIVE, ends, line,
                    "polls with a look that still finds a zombie, and nothing reaps this child: wait for it, or treat state Z as gone",  # noqa: E501
                )  # fmt: skip
            elif (
                sent is not None
                and not process.ordered
                and number not in escalated
                and step.deadline_s is not None
                and step.deadline_s < SHORT_S
            ):
                self._short(
                    number, sent, line,
                    _polls_for(step.deadline_s),
                )  # fmt: skip
            elif (
                sent is None
                and (stopped is not None and step.demanded if process.own else not process.ordered)
                and not step.until_alive
                and (step.deadline_s or SHORT_S) < SHORT_S
            ):
                # Nobody is seen to signal it; one who then demands that it is gone had that in mind.
                flaw = Flaw(Mechanism.DEADLINE_TOO_SHORT, line, line, _polls_for(step.deadline_s or SHORT_S))
                process.short = flaw
                if expect is Expect.DEAD or (step.demanded and expect is not Expect.LOOP):
                    self._add(flaw)  # the poll itself fails when its time is up
                else:
                    self._carried_out(step, flaw)
            process.ordered = True
            process.reaped = process.reaped or reaps
        if not looked:
            if step.deadline_s is not None and step.deadline_s < SHORT_S:
                for number in self._unordered():
                    sent = self.state.processes[number].sent
                    if sent is not None and sent.scope is not Scope.OPAQUE:
                        self._short(number, sent, line, _polls_for(step.deadline_s))
            self._all_ordered(derived=True)
        self._all_ready()

    def _carried_out(self, step: Loop, flaw: Flaw) -> None:
        """Remember the variables in which a poll says what it found: a flaw, when they are asserted."""
        for store in walk(step.body):
            if isinstance(store, Store) and store.says is not None:
                alive = Alive.FALSE if store.says else Alive.TRUE
                look = _Stored(Event(Kind.LOOK, store.line, alive=alive), flaw)
                self.state.looks |= dict.fromkeys(store.targets, look)

    def _event(self, event: Event) -> None:
        if event.instead is not None and (self._is_own_object(event) or self._polls_for_itself(event)):
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
                self._read_into(event)
            case Kind.USE:
                self._use(event)
            case Kind.EFFECT:
                self._effect(event)
            case Kind.ELAPSED:
                self._elapsed(event)
            case Kind.AWAIT:
                self._awaited()
            case Kind.REAPER:
                for number in self._known(event.names) or list(self.state.processes):
                    self.state.processes[number].reaped_beside = True
            case Kind.GATE:
                for number in self._known(event.names) or [n for n, p in self.state.processes.items() if p.own]:
                    self.state.processes[number].let_go = True

    def _awaited(self) -> None:
        """Whoever was asked to end something (a token, say) may answer here that it did, but not for its children."""
        for process in self.state.processes.values():
            if process.sent is not None and process.sent.scope is Scope.OPAQUE and not process.derived:
                process.ordered = True

    def _read_into(self, event: Event) -> None:
        """A pid that C reads from a pipe into a variable: somebody's child."""
        own = [number for number, process in self.state.processes.items() if process.own]
        for name in out_parameters(event.text, self.current.language) if own else ():
            if PIDLIKE.search(name) and self.state.find(name) is None:
                self.state.names[name] = self.state.new(Process(derived=True, parent=own[-1], ready=True))

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
        if made is None and (started := _started_by_name(step)) is not None:
            text = self._expanded(started.text)
            held = Process(own=True, started=self._line(step.line), text=text, words=resources(text), ready=True)
            held.reaped_beside, held.site = True, self.site  # how it is kept is unknown
            self.state.names |= dict.fromkeys(step.targets, self.state.new(held))
            return
        known = self._known(step.names) if made is None else [made]
        if step.derived and not any(
            self.state.processes[n].derived and name in step.names for name, n in self.state.names.items()
        ):
            self._derive(step, known)
            return
        if not known and step.of_pid and step.names:
            known = self._named(tuple(n for n in step.names if PIDLIKE.search(n))[-1:], create=True)
        for target in step.targets if known else ():
            # A pid is no answer, whatever it was asked from: `proc_get_status($process)['pid']`.
            if target not in ANSWERS and (look is None or target.lower().endswith("pid")):
                self.state.names[target] = known[0]

    def _derive(self, step: Store, known: list[int]) -> None:
        """A pid that was read: from a pipe of the parent, which is ready then, or from a file that may not be there."""
        own = [n for n, p in self.state.processes.items() if p.own]
        parent = known[0] if known else (own[-1] if own else None)
        held = (
            resources(" ".join(step.targets))
            if not any(PIDLIKE.search(target) for target in step.targets)
            else frozenset()
        )
        if held and parent is not None and not BACKGROUND.search(self.state.processes[parent].text):
            # A port or path that the child has printed: what it holds, no process.
            self.state.processes[parent].words |= held
            self.state.processes[parent].ready = True
            return
        if parent is None and step.members and step.names:
            parent = self._named(step.names[:1], create=True)[0]  # whoever has members is a process
        number = self.state.new(Process(derived=True, parent=parent, ready=True, words=held, site=self.site))
        for target in step.targets:
            self.state.names[target] = number
        if parent is None:
            return
        process = self.state.processes[parent]
        unready = step.from_file and not process.ready and process.started is not None and not self.polling
        if unready and _writes(process, step):
            self._unready_file(process, self._line(step.line))
        process.ready = True

    def _unready_file(self, process: Process, line: int) -> None:
        assert process.started is not None
        start = Sent(process.started, Scope.LEADER, "", -1)
        if process.slept_since_start is not None:
            self._flaw(
                Mechanism.FIXED_SLEEP, start, line,
                f"a fixed sleep (line {process.slept_since_start}) stands for the wait until the child wrote its pid: poll for the file to a deadline",  # noqa: E501
            )  # fmt: skip
        else:
            self._flaw(
                Mechanism.SIGNAL_BEFORE_READY, start, line,
                "reads the pid before the child can have written it: wait for a line it prints when ready, or poll for the file",  # noqa: E501
            )  # fmt: skip

    def _used(self, step: Use) -> None:
        for name in step.names:
            look = self.state.looks.get(name)
            if not isinstance(look, _Stored) or self.polling:
                continue
            alive = look.event.alive
            if self.current.language == "bash" and (
                "-eq" in step.text or "-ne" in step.text or "==" in step.text or "!=" in step.text
            ):
                alive = Alive.ZERO
            if step.branch == "assert":
                expect = expectation.wants(step.text, alive)
                if alive is Alive.NO_ERROR and self.current.language in _RAISING and not _DENIES.search(step.text):
                    expect = Expect.ALIVE  # it raises for the dead: what was stored was read of a live one
            else:
                expect = expectation.of_branch(
                    step.text,
                    alive,
                    "fail" if step.branch == "then-fails" else "",
                    "fail" if step.branch == "else-fails" else "",
                )
            if expect is Expect.DEAD and step.branch and look.flaw is not None:
                self._add(look.flaw)
                self.state.looks.pop(name, None)

    def _finish(self) -> None:
        for flaw in self.short.values():
            self._add(flaw)
        for number, flaw in self.assigned:
            held = (self.state.processes.get(number), self._parent(number))
            if not any(process is not None and process.let_go for process in held):
                self.flaws.append(flaw)


def judge(function: Function, lookup: Lookup, *, spawned: Mapping[str, str] | None = None) -> list[Flaw]:
    """Return the flaws of `function`.

    `lookup` finds helpers and fixtures by name; `spawned` maps names that other functions of the file assign a
    process to (fixtures, `self.proc`) to the source that starts it.
    """
    machine = Machine(function, lookup, spawned or {})
    machine.run_all()
    return sorted(set(machine.flaws), key=lambda flaw: (flaw.look_line, flaw.signal_line, flaw.mechanism))
