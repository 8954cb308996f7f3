"""Follow calls: helpers, methods of the project's own objects, fixtures, and functions known by their name alone."""

import re
from abc import abstractmethod

from flakehunter.model import Mechanism
from flakehunter.scan import idioms
from flakehunter.scan.durations import IN_MILLISECONDS, duration_s
from flakehunter.scan.events import Alive, Call, Event, Expect, Flow, Function, Kind, Loop, Return, Scope, events, walk
from flakehunter.scan.kinds import words
from flakehunter.scan.mechanisms import Mechanisms
from flakehunter.scan.processes import (
    Sent,
)
from flakehunter.scan.tracking import Flaw
from flakehunter.scan.waiting import SHORT_S

_MODULES = words(
    "os sys time subprocess signal shutil socket fs path process console JSON Math syscall io fmt strings asyncio "
    "select logging threading"
)
_COMMON = words(
    "start stop wait kill terminate close join poll run send read write get put set release acquire shutdown "
    "cancel clear notify"
)
"""Names of methods that half of all classes have."""
_PID = re.compile(r"pid(?:s$|$|_)|Pid|PID")
_OF_PROCESS = re.compile(r"proc|pid(?:$|_|[A-Z])|Pid|daemon", re.IGNORECASE)
_LIVES = re.compile(r"proc|pid(?:$|_|[A-Z])|Pid|daemon|_alive$|Alive$|child|worker", re.IGNORECASE)
_FOR_SIGNS = re.compile(
    r"(?i)(?:wait|await|until|poll)\w*?_?(?:log|line|port|ready|url|http|output|text|message|prompt|listen|health|window|start|up$)"
)
"""Waits for what a live process shows: its end is another matter."""
_LAST_GIVEN = re.compile(r",\s*\{?\s*(?:\w+\s*[=:]\s*)?([^,(){}]*(?:\([^()]*\))?[^,(){}]*)\}?\s*\)$")
"""The last argument of a call."""
_A_LIMIT = re.compile(r"[1-9][\d_]*(?:\.\d+)?[smL]*|0?\.\d+|\d+ \* \w+(?:\.\w+)?")
"""A number beside the process that is looked for: how long, at most."""
_WHOLE = re.compile(r"group|proc|tree|all$|children", re.IGNORECASE)
MAX_DEPTH = 4
"""How deep helpers of helpers are followed."""


class Following(Mechanisms):
    """Runs helpers in place."""

    @abstractmethod
    def run(self, flow: Flow) -> None:
        """Run the steps of `flow` in order."""

    def _call(self, step: Call) -> None:
        names = tuple(n for arg in step.args for n in arg)
        limited = idioms.LIMITED.search(step.text) is not None or any(map(_A_LIMIT.fullmatch, step.given[1:]))
        if idioms.looks(step.name) and limited:
            for number in self._known((*names, *step.receiver)):
                self.state.processes[number].ordered = True  # it looks again and again
            return
        held = self.state.names.get(step.name) if not step.receiver else None
        if held is not None and idioms.WAITING.search(step.name):
            process = self.state.processes[held]  # `join = timed(p.join)`, and here its call
            process.ordered = process.reaped = process.ready = True
            return
        helper = self.lookup(step.name, self.current) if not _of_a_field(step) else None
        if helper is not None and not _takes(helper, step):
            helper = None
        if helper is self.function or helper is self.current:
            helper = None  # a method of the same name: nobody calls itself here
        if helper is not None and helper.name not in self.stack and len(self.stack) < MAX_DEPTH:
            arguments = self._arguments(helper, step)
            self._enter(helper, arguments, step.line, step)
            return
        known = self._known((*names, *step.receiver, step.name))
        if self.current.language == "bash":
            self._begins(step)
        if idioms.stops(step.name) and not self.polling:
            self.state.stopped, self.state.paused = self._line(step.line), None
            self.state.pause = None  # what the look is about ends now, after the pause
        if idioms.polls(step.path) and step.expect in (Expect.LOOP, Expect.OUTLASTED):
            for number in known:
                self.state.processes[number].ordered = True
            if not known:
                self._all_ordered()
            self._all_ready()
        elif idioms.looks(step.name) or (idioms.lists(step.name) and step.expect in (Expect.ALIVE, Expect.DEAD)):
            whom: tuple[str, ...] | None = names or step.receiver
            if step.expect is Expect.ALIVE:
                self.lived.add(step.text)
            if not known and self._outlived(step):
                return
            if not known:
                whom = names if names and _PID.search(names[0]) else None
                if whom is None and _OF_PROCESS.search(step.path):
                    whom = self._whoever(step)
            killed = whom is None and not names and not step.receiver and self._just_killed(step)
            if whom is not None or killed:
                alive = Alive.FALSE if idioms.DEAD_NAME.search(step.name) else Alive.TRUE
                look = Event(
                    Kind.LOOK, step.line, whom or (), step.text, alive=alive, expect=step.expect, by_pid=killed
                )
                self._look(look)
        elif idioms.KILLING.search(step.name):
            self._unknown_kill(step, known)
        elif idioms.WAITING.search(step.name) and step.path not in (
            "os.close",
            "fs.close",
            "fs.closeSync",
            "syscall.Close",
        ):
            for number in known:
                process = self.state.processes[number]
                self._short_by_name(step, number)
                process.ordered = process.reaped = process.ready = True
            if not known and not _FOR_SIGNS.search(step.name):
                self._all_ordered(derived=False)
            if idioms.READYING.search(step.name):
                self._all_ready()
        elif step.name in idioms.ADDING and step.receiver:
            given = self._known(names)
            made = [n for n, p in self.state.processes.items() if p.own]
            if (given or made) and step.receiver[0] not in self.state.names:
                self.state.names[step.receiver[0]] = given[0] if given else made[-1]
        elif idioms.READYING.search(step.name) and not idioms.READING_FILE.search(step.path) and step.path != "expect":
            self._all_ready()
        elif step.expect in (Expect.ALIVE, Expect.DEAD):
            self._asked_of_pid(step, known)

    def _short_by_name(self, step: Call, number: int) -> None:
        """deadline-too-short: `assert wait_gone(pid, 0.5)`, whose source is not at hand."""
        process = self.state.processes[number]
        given = _LAST_GIVEN.search(step.text)
        if given is None or process.sent is None or process.ordered or self.polling:
            return
        if idioms.stops(step.name) and not idioms.waits(step.name):
            return  # how long it asks before it uses force
        unit_s = 1e-3 if self.current.language in IN_MILLISECONDS else 1.0
        limit_s = duration_s(given[1], unit_s)
        if limit_s is not None and 0 < limit_s < SHORT_S and step.expect in (Expect.ALIVE, Expect.DEAD):
            text = f"waits {limit_s:g} s at most, which a loaded machine can exceed: allow many times the measured time to death"  # noqa: E501
            self._short(number, process.sent, self._line(step.line), text)

    def _asked_of_pid(self, step: Call, known: list[int]) -> None:
        """A look by a name that says nothing: what it answered of a pid before the signal has to have changed."""
        if step.expect is Expect.ALIVE:
            self.lived.add(step.text)
        elif known and step.text in self.lived:
            self._look(
                Event(
                    Kind.LOOK, step.line, step.args[0] if step.args else (), step.text, expect=Expect.DEAD, by_pid=True
                )
            )

    def _outlived(self, step: Call) -> bool:
        """fixed-sleep: what was seen to live has to be gone after a pause, whoever was to end it."""
        pause = self.state.pause
        dead = step.expect is Expect.DEAD and step.text in self.lived
        dead = dead and _LIVES.search(step.path) is not None and "hread" not in step.text
        if not dead or pause is None or self.polling or self._in_helper(self.state.pause_site):
            return False
        text = "a fixed sleep stands for the wait until the process is gone: poll to a deadline"
        self._add(Flaw(Mechanism.FIXED_SLEEP, pause, self._line(step.line), text))
        return True

    def _just_killed(self, step: Call) -> bool:
        """Whether a look that is given nothing, `assert not server_running()`, is about whom the line above killed."""
        sent = [self.state.processes[number].sent for number in self._unordered()]
        sure = any(one is not None and not one.guessed and one.scope is not Scope.OPAQUE for one in sent)
        return sure and step.expect is Expect.DEAD and "hread" not in step.text

    def _whoever(self, step: Call) -> tuple[str, ...] | None:
        """Return whom a look that names no known process is about; None where that cannot be told.

        After a signal and a pause it is about the signalled process; after a stop and a pause about what was stopped.
        """
        if self.state.pause is not None and self._unordered():
            return ()
        asked = self.state.pause is not None and step.expect is Expect.DEAD and step.receiver
        if self.state.paused is None and not (asked and _OF_PROCESS.search(step.receiver[0])):
            return None
        self._named((step.path,), create=True)
        return (step.path,)

    def _unknown_kill(self, step: Call, known: list[int]) -> None:
        whole = any(word in step.name.lower() for word in ("tree", "group", "all"))
        scope = Scope.TREE if whole else Scope.LEADER
        waits = "wait" in step.name.lower() or (step.awaited and not whole)
        if not known and _WHOLE.search(step.name):
            made = [n for n, p in self.state.processes.items() if p.own and p.started is not None and p.sent is None]
            known = made if len(made) == 1 else []  # `killCgroup(path)`: whom else
        for number in known:
            if self.state.processes[number].slept_since_start is not None:
                # Nobody pauses before it if it only kills.
                self._readiness(number, Event(Kind.SIGNAL, step.line, signal="TERM"), self._line(step.line))
            self._send(number, Sent(self._line(step.line), scope, "KILL", self.site, guessed=True))
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
            elif (
                names
                and any(events(self.function.flow, Kind.SIGNAL, Kind.LOOK))
                and ("pid" in names[0].lower() or "proc" in names[0].lower())
            ):
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
        if step is not None:
            self.frames.append((helper, step))
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
        outer_deferred, self.deferred = self.deferred, []
        self.run(_until_yield(helper.flow))
        for flow in reversed(self.deferred):
            self.run(tuple(step for step in flow if not isinstance(step, Return)))
        self.deferred = outer_deferred
        if _seems_to_wait(helper):
            self._all_ordered()
            self._all_ready()
        self.polling -= 1 if helper.retries else 0
        shared = {
            n: v
            for n, v in self.state.names.items()
            if n.startswith(("self.", "this.", "@"))
            or (n in ("self", "this") and n not in arguments)
            or (n in outer and n not in arguments)
        }
        made = self.returned
        if helper.name in ("__init__", "constructor", "__construct") or (
            step is not None and step.name[:1].isupper() and step.name == helper.name
        ):
            held = [
                v
                for n, v in self.state.names.items()
                if n.startswith(("self", "this")) and (n not in outer or outer[n] != v)
            ]
            made = held[0] if held else made
            if made is not None:
                self.state.processes[made].wrapped = True
            shared = {n: v for n, v in shared.items() if n in outer}
        self.state.names = {**outer, **shared, **outer_self}
        self.stack.pop()
        self.texts.pop()
        if step is not None:
            self.frames.pop()
        self.current, self.call_line, self.site, self.asked, self.returned = saved
        if made is not None:
            self.returned = made

    def _polls_for_itself(self, event: Event) -> bool:
        """Whether what is called like a wait of a library is a function of the project that polls."""
        if event.kind is not Kind.WAIT or event.instead is None or event.instead.receiver:
            return False
        helper = self.lookup(event.instead.name, self.current)
        return (
            helper is not None
            and helper.name not in self.stack
            and any(isinstance(step, Loop) and step.polls for step in walk(helper.flow))
        )

    def _is_own_object(self, event: Event) -> bool:
        """Whether the receiver is an object of a class of the project, whose method was found."""
        assert event.instead is not None
        known = self._known(event.names)
        if known and not self.state.processes[known[0]].wrapped:
            return False
        helper = self.lookup(event.instead.name, self.current) if not _of_a_field(event.instead) else None
        if helper is None or helper is self.function or helper is self.current:
            return False  # `cmd.Start()` in a function of that name
        return _takes(helper, event.instead) and helper.name not in self.stack and len(self.stack) < MAX_DEPTH


def _takes(helper: Function, call: Call) -> bool:
    """Whether a function can be given as few arguments: else it is another one of that name (Go has no defaults)."""
    return helper.language != "go" or len(call.args) >= len(helper.parameters) - 1


def _seems_to_wait(helper: Function) -> bool:
    """Whether a helper that says so waits in a way that its events do not show: a loop, or a wait of somebody else."""
    if not re.search(r"wait|join|reap|until", helper.name, re.IGNORECASE):
        return False
    return any(
        isinstance(step, Loop) or (isinstance(step, Call) and idioms.WAITING.search(step.name) is not None)
        for step in walk(helper.flow)
    )


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
    if call.path.count(".") >= 3 and call.name in _COMMON:
        return True  # `result.manager.store.close()`: whose method that is, nobody can tell from here
    return bool(call.receiver) and call.receiver[0].startswith(("self.", "this.", "@")) and call.name in _COMMON
