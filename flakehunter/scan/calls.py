"""Lower calls: idioms, helpers, and where the bodies of closures go."""

import re
from dataclasses import replace
from functools import lru_cache

from tree_sitter import Node

from flakehunter.scan import context, expectation, idioms
from flakehunter.scan.durations import plausible_s
from flakehunter.scan.events import (
    Alive,
    Aside,
    Call,
    Event,
    Expect,
    Flow,
    Kind,
    Loop,
    Scope,
    Step,
    Store,
    events,
)
from flakehunter.scan.flows import asks, with_limit
from flakehunter.scan.idioms import Idiom
from flakehunter.scan.kinds import CALLS, MEMBERS, STRINGS
from flakehunter.scan.syntax import Spec, arguments, callee, child, names_in, parameters, path, text
from flakehunter.scan.walking import Walker, _line

TEST_CALLS = re.compile(
    r"^(?:it|test|specify|scenario|describe|context|suite|beforeEach|afterEach|beforeAll|afterAll|before|after|setup|teardown|"
    r"t\.test|Deno\.test|bench|should|RSpec\.describe|feature|given|around|avaTest|serial|concurrent|Describe|It|Context|"
    r"BeforeEach|AfterEach|Specify|When|let|let!|subject)(?:\.\w+(?:\(\))?)*$"
)
_EXIT_CALLBACK = re.compile(r"\.(?:on|once|addListener|prependOnceListener|onExit\(\)\.\w+)$")
_CLEANUP = re.compile(
    r"(?:\.Cleanup|addCleanup|add_cleanup|addfinalizer|add_finalizer|at_exit|onTestFinished|DeferCleanup|addTearDownHook|t\.after|t\.teardown|"
    r"addShutdownHook|atexit\.register|\.callback|push_async_callback|defer|process\.on)$"
)
_ASIDE = re.compile(
    r"(?:threading\.Thread|Thread\.new|Thread|thread\.spawn|thread|tokio\.spawn|task\.spawn|spawn_blocking|supplyAsync|runAsync|Task\.Run|create_task|"
    r"ensure_future|start_soon|submit|std\.thread|jthread|async|launch|Timer|GlobalScope\.launch|setTimeout|setImmediate|call_later|AfterFunc|"
    r"CompletableFuture\.\w+|std\.async|concurrent\.Future|signal\.signal|trap|Signal\.trap|Process\.detach|call_soon)$"
)
_TIMEBOX = re.compile(
    r"(?:^|\.)(?:wait_for|timeout|timeout_at|fail_after|move_on_after|withTimeout|withTimeoutOrNull|WithTimeout|assertTimeoutPreemptively)$"
)
_MYSELF = re.compile(
    r"^\(?\s*(?:(?:[\w.:]*\b)?(?:[gG]etpid|getmypid|[cC]urrent_?[pP]id|process::id|Pid::this)\(\)|[pP]rocess\.pid)(?:\s+as\s+[\w:]+)?\s*\)?$"
)
"""The pid of the one who asks."""
_OPERAND = re.compile(r"[&*$]{0,2}\w+(?:(?:\.|->|::|\?\.)\w+|\(\)|!)*$")
_PROCESS = re.compile(r"pid|proc|child", re.IGNORECASE)
_CLIENT = re.compile(r"[(\"'`\s](?:curl|wget|grpcurl|redis-cli)[\"'\s](?!.*\bretry)", re.DOTALL)
"""Programs that ask a server, and ask once."""
_RAISED = re.compile(r"\.(?:unwrap|expect)\(|\?$")
"""Rust says what must not fail."""
_TIMES = re.compile(r"(?:\.(?:times|upto|each)|^repeat)$")
_LEAVES = re.compile(r"\b(?:break|return)\b")
_CGROUP_FILE = re.compile(r"cgroup\.procs|cgroup\S*/tasks")
_SECOND_BY_DEFAULT = frozenset(["vi.waitFor", "vi.waitUntil"])
"""Polls of Vitest that end after a second when nothing else is said."""
ASKED_BYTES = 200
"""A call that asks something of a pid is short."""
_GIVEN_PID = re.compile(
    r"[(,\s.](?:\w*_)?(?:pid|Pid|PID|getPid|ProcessId|\w+Pid|Process\.Id|process\.Id)\b(?:\(\))?[^()=]*\)+$"
)
_CONVERTS = re.compile(
    r"(?:int|str|repr|len|Long|Integer|String|Number|BigInt|Itoa|FormatInt|Sprint\w*|format\w*|from\w*|to\w*|parse\w*|valueOf|as\w*|print\w*|new|Pid|Some|Ok|min|max|abs)$"
)
"""Calls that only write a pid in another way."""
_KEYWORDS = frozenset(["subprocess", "DEVNULL", "shell", "text", "check", "capture_output", "encoding", "args", "arg"])
_DEMANDED = frozenset(["comparison_operator", "assert_statement"])
_ALONE = frozenset(["expression_statement", "block", "statements", "function_body", "statement_block"])
_USED = _DEMANDED | {"await", "assignment", "if_statement", "not_operator"}


@lru_cache(maxsize=50_000)
def is_time_box(dotted: str) -> bool:
    """Whether a call with this path gives what it is given a time limit."""
    return _TIMEBOX.search(dotted) is not None


class Calls(Walker):
    """Lowers calls."""

    def _call(self, node: Node, out: list[Step]) -> None:
        receiver, name = callee(node)
        dotted = "subshell" if node.type == "subshell" else path(node)[:-2]
        last = dotted.rpartition(".")[2]
        closures = self._closures(node)
        if (
            closures
            and (TEST_CALLS.match(dotted) or (name is not None and name.type in STRINGS))
            and self.spec.name in ("javascript", "typescript", "tsx", "ruby", "go", "kotlin")
        ):
            return  # tests and hooks are functions of their own
        if receiver is not None:
            self._visit(receiver, out)
        plain = [a for a in arguments(node) if a not in closures]
        if (
            node.type == "call_expression"
            and (function := child(node, "function")) is not None
            and function.type in self.spec.closures
        ):
            closures.append(function)
        inner: list[Step] = []
        for argument in plain:
            self._visit(argument, inner)
        if is_time_box(dotted):
            limit = " ".join(
                text(a) for a in plain if a.type not in CALLS or re.search(r"from_|Duration|milli|sec", text(a))
            )
            unit = 1e-3 if self.spec.name in ("javascript", "kotlin") else 1.0
            demanded = self.spec.name != "rust" or _RAISED.search(text(context.chain_root(node))) is not None
            out.extend(with_limit(tuple(inner), self._duration_s(limit, unit), demanded=demanded))
        else:
            out.extend(inner)
        source = text(node)
        idiom = idiom_of(self.spec, dotted, source + self._written_to(receiver, plain))
        if idiom is not None and receiver is None and last in self.helpers and idiom.kind in (Kind.BIND, Kind.USE):
            idiom = None  # a function of the project's own, which only has the library's name
        line = _line(name or node)
        if closures and idiom is not None and idiom.kind is Kind.SPAWN and idioms.command(source) is not None:
            self._answer(idiom, node, receiver, plain, closures, line, out)
            return
        if closures and idiom is not None and idiom.kind is Kind.BIND:
            bound: list[Step] = []
            self._idiom(idiom, node, receiver, plain, line, bound)  # before its callback runs
            before_it = source[: closures[0].start_byte - node.start_byte]
            out.extend(replace(step, text=before_it) if isinstance(step, Event) else step for step in bound)
            self._with_closures(node, dotted, plain, closures, idiom, out)
            return
        if closures:
            self._with_closures(node, dotted, plain, closures, idiom, out)
            if idiom is None:
                return
        elif idiom is not None and idiom.kind is Kind.SLEEP and plain and text(plain[0]) in self.helpers:
            called = text(plain[0])
            pause = Event(Kind.SLEEP, line, (), source, timeout_s=self._limit(idiom, node, plain, 1.0))
            out.append(Aside((pause, Call(line, called, called, (), (), Expect.VALUE, source[:400]))))
            return
        if idiom is not None:
            before = len(out)
            self._idiom(idiom, node, receiver, plain, line, out)
            if (
                (idiom.who == "receiver" or idiom.kind is Kind.WAIT)
                and last in self.helpers
                and len(out) == before + 1
                and isinstance(out[-1], Event)
            ):
                out[-1] = replace(out[-1], instead=self._helper(node, receiver, dotted, last, plain, line, source))
            return
        if expectation.asserts(dotted):
            self._use(node, "assert", out)
        if (
            idioms.polls(dotted)
            and not closures
            and any(a.type in ("identifier", "attribute", "lambda") for a in plain)
            and not idioms.looks(last)
        ):
            given = tuple(names_in(text(a)) for a in plain)
            polled = Call(line, last, dotted, names_in(text(receiver)), given, Expect.LOOP, source[:400])
            limit_s = self._poll_limit(node, plain, dotted)
            out.append(polled if limit_s is None else Loop(line, (), True, limit_s))
            return
        if last == "await" and not plain and _begins_a_chain(node):
            return  # Awaitility's: what is waited for comes at the end of the chain
        if last in self.helpers or idioms.speaks(last):
            out.append(self._helper(node, receiver, dotted, last, plain, line, source))
        elif plain and _asks_of_pid(node, source) and not _CONVERTS.match(last):
            asked = self._helper(node, receiver, dotted, last, plain, line, source)
            if asked.expect in (Expect.DEAD, Expect.ALIVE) and not expectation.asserts(dotted):
                out.append(asked)

    def _written_to(self, receiver: Node | None, plain: list[Node]) -> str:
        """Return how the cgroup's file was opened that a call writes to: `f.write(str(pid))`, `fprintf(f, …)`."""
        for stream in (receiver, *plain[:1]):
            name = text(stream) if stream is not None and stream.child_count == 0 else ""
            opened = self.constants.get(name, "")
            if "cgroup" in opened and _CGROUP_FILE.search(opened):
                return f" {opened}"
        return ""

    def _helper(
        self, node: Node, receiver: Node | None, dotted: str, last: str, plain: list[Node], line: int, source: str
    ) -> Call:
        alive = Alive.FALSE if idioms.DEAD_NAME.search(last) else Alive.TRUE
        return Call(
            line=line,
            name=last,
            path=dotted,
            receiver=names_in(text(receiver)) if receiver is not None else (),
            args=tuple(names_in(text(a)) for a in plain),
            expect=context.expected(node, alive, self.spec),
            text=source[:400],
            awaited=node.parent is not None and node.parent.type in ("await_expression", "await"),
            given=tuple(text(a)[:80] for a in plain),
        )

    def _closures(self, node: Node) -> list[Node]:
        found = [a for a in arguments(node) if a.type in self.spec.closures]
        for keyword in (a for a in arguments(node) if a.type in ("keyword_argument", "pair", "named_argument")):
            found.extend(n for n in keyword.named_children if n.type in self.spec.closures)
        block = child(node, "block")
        if block is not None:
            found.append(block)
        for trailing in (n for n in node.named_children if n.type == "annotated_lambda"):
            found.extend(n for n in trailing.named_children if n.type in self.spec.closures)
        return found

    def _with_closures(
        self, node: Node, dotted: str, plain: list[Node], closures: list[Node], idiom: Idiom | None, out: list[Step]
    ) -> None:
        """Place the bodies of closures: polled, run beside, run at the end, after an exit, or in place."""
        receiver, _ = callee(node)
        bodies = tuple(step for c in closures for step in self._flow_of(child(c, "body") or c))
        line = _line(node)
        given = Store(line, tuple(p for c in closures for p in parameters(c)), (), names_in(text(receiver)))
        around = " ".join(text(a) for a in plain)
        if idiom is not None and idiom.kind in (Kind.SPAWN, Kind.BUILD) and not idiom.run:
            # The block of fork is the child's own code; a callback of exec runs when the child has ended.
            self.strings.append(text(closures[0]))
            if self.spec.name in ("javascript", "typescript", "tsx"):
                out.append(Aside(bodies))
            return
        if idiom is not None and idiom.kind is Kind.SLEEP:
            source = " ".join(text(c) for c in closures)
            if (len(source) < 60 and not bodies) or re.fullmatch(r"\(?\w*\)?\s*=>\s*\w+\(\)", source):
                return
            pause = Event(Kind.SLEEP, line, (), text(node), timeout_s=self._limit(idiom, node, plain, 1.0))
            out.append(Aside((pause, *bodies)))
            return
        if _EXIT_CALLBACK.search(dotted) and re.search(r"['\"](?:exit|close|end|disconnect)['\"]", around):
            ended = Event(Kind.WAIT, line, names_in(text(receiver)), text(node)[:80], needs_known=True)
            out.append(ended if context.settles(node, self.spec) else Aside((ended, *bodies)))
        elif idioms.polls_closure(dotted) or dotted.endswith(("setInterval", "loop")):
            out.append(
                Loop(
                    line,
                    expectation.of_poll(bodies, dotted, text(context.chain_root(node))),
                    not dotted.endswith("loop") or any(events(bodies, Kind.LOOK)),
                    None if dotted.endswith("setInterval") else self._poll_limit(node, plain, dotted),
                )
            )
        elif (rounds := self._rounds(node, dotted, plain, bodies)) is not None:
            out.append(rounds)
        elif _CLEANUP.search(dotted):
            out.append(Aside(bodies, deferred=True))
        elif _ASIDE.search(dotted):
            out.append(Aside(bodies))
        elif is_time_box(dotted):
            out.extend(with_limit(bodies, self._duration_s(around)))
        else:
            if given.targets and given.names:
                out.append(given)
            out.extend(bodies)

    def _rounds(self, node: Node, dotted: str, plain: list[Node], bodies: Flow) -> Loop | None:
        """Return the poll that a block makes which runs a number of times: `100.times { … }`, `repeat(100) { … }`."""
        source = text(node)
        if _TIMES.search(dotted) is None or not any(asks(bodies)) or _LEAVES.search(source) is None:
            return None
        pause = next((e.timeout_s for e in events(bodies, Kind.SLEEP) if e.timeout_s), None)
        if pause is None or (dotted.endswith("each") and re.match(r"\(\d+\.\.", source) is None):
            return None
        said = text(plain[0]) if plain and dotted == "repeat" else source
        count = re.match(r"\(?(?:\d+\.\.\.?)?(\d+)\b", said)
        limit_s = int(count[1]) * pause if count is not None else None
        return Loop(_line(node), bodies, True, limit_s)

    def _answer(
        self,
        idiom: Idiom,
        node: Node,
        receiver: Node | None,
        plain: list[Node],
        closures: list[Node],
        line: int,
        out: list[Step],
    ) -> None:
        """A command that looks or signals, and the callback that gets what it printed."""
        ordered: list[Step] = []
        self._idiom(idiom, node, receiver, plain, line, ordered)
        given = tuple(p for c in closures for p in parameters(c))
        self.look_names.update(given)
        out.append(Store(line, given, tuple(ordered), ()))
        out.extend(step for c in closures for step in self._flow_of(child(c, "body") or c))

    def _poll_limit(self, node: Node, plain: list[Node], dotted: str) -> float | None:
        source = text(node)
        unit = (
            1e-3
            if self.spec.name in ("javascript", "typescript", "tsx")
            else self.spec.wait_unit_s
            if self.spec.name != "java"
            else 1.0
        )
        named = re.search(
            r"(?:timeout\w*|within|deadline|time_limit|timeLimit|duration)[\"']?\s*(?:[:=]|=>)\s*([^,)}]+)|(?:atMost|WithTimeout|within)\(((?:[^()]|\([^()]*\))*)\)",
            source,
        )
        if named:
            return plausible_s(self._duration_s(named[1] or named[2], unit))
        found = [
            d
            for a in plain
            if a.type not in STRINGS or re.match(r"[\"']\d", text(a))
            for d in [self._duration_s(text(a).strip("\"'"), unit)]
            if d
        ]
        outer = callee(node)[0]
        if not found and outer is not None and idioms.polls(dotted):
            found = (
                [d for a in arguments(outer) if (d := self._duration_s(text(a), unit))] if outer.type in CALLS else []
            )
        if not found and dotted in _SECOND_BY_DEFAULT and len(arguments(node)) == 1:
            return 1.0
        return plausible_s(max(found)) if found else None

    def _limit(self, idiom: Idiom, node: Node, plain: list[Node], unit: float) -> float | None:
        """Return the time limit or pause that a call gives, in seconds."""
        unit = self.spec.sleep_unit_s if idiom.kind is Kind.SLEEP else self.spec.wait_unit_s
        if idiom.signal in ("us", "ms", "ns", "s"):  # the unit of functions such as usleep
            unit = {"us": 1e-6, "ms": 1e-3, "ns": 1e-9, "s": 1.0}[idiom.signal]
        named = re.search(r"\btimeout\w*[\"']?\s*(?:=|:|=>)\s*([^,)}]+)", text(node))
        if named and idiom.kind is Kind.WAIT:
            value = named[1].strip()
            return self._duration_s(self.constants.get(value, value) if value.isidentifier() else value, unit)
        if not isinstance(idiom.timeout, int) or idiom.timeout >= len(plain):
            return None
        source = ", ".join(text(a) for a in plain[idiom.timeout :])
        first = text(plain[idiom.timeout])
        root = first.removesuffix(".Token").removesuffix(".signal")  # of a source that cancels after a time
        if root.isidentifier() and root in self.constants:
            source = self.constants[root]
        return self._duration_s(source, unit)

    def _idiom(
        self, idiom: Idiom, node: Node, receiver: Node | None, plain: list[Node], line: int, out: list[Step]
    ) -> None:
        source = text(node)
        if idiom.who == "0" and plain and _MYSELF.search(self.constants.get(text(plain[0]), text(plain[0]))):
            return  # it signals or looks at itself
        kind, scope, signal, names = idiom.kind, idiom.scope, "TERM", self._who(idiom, receiver, plain)
        alive, zombies, by_pid = idiom.alive, idiom.counts_zombies, idiom.counts_zombies
        said = self._command_source(plain, source) if kind in (Kind.SPAWN, Kind.BUILD) else ""
        if said and (ordered := idioms.command(said)) is not None:
            names = tuple(n for a in plain for n in names_in(text(a))) if said is source and plain else names_in(said)
            kind, scope, signal = ordered.kind, ordered.scope, ordered.signal
            alive, zombies = (Alive.ZERO, True)
            names = tuple(n.rpartition(".")[0] if f"{n}(" in said else n for n in names)
            names = tuple(n for n in names if n and n not in _KEYWORDS and not n[0].isupper())
        elif idiom.run:
            self._ran(receiver, plain, source, line, out)
            return
        if kind is Kind.SIGNAL:
            signal = idiom.signal or (signal if idiom.kind is not Kind.SIGNAL else idioms.signal_name(source))
            scope = _scope(scope, names, plain, source)
            if idiom.who == "receiver" and plain and plain[0].type in STRINGS and not idioms.SIGNAL_NAME.search(source):
                scope = Scope.OPAQUE  # `killer.Kill("name")`: whoever is called that
            if signal == "0":
                kind = Kind.LOOK
            elif context.is_refused(node, self.spec):
                return
            elif names and context.must_fail(node, self.spec, gone=True):
                kind, alive, zombies = Kind.LOOK, Alive.NO_ERROR, True
        if kind in (Kind.SPAWN, Kind.BUILD):
            kept = (text(a).lstrip("$&*") for a in plain)
            source = " ".join([source, *(self.constants[name] for name in kept if name in self.constants)])
        expect, tolerant, limit, limit_name, silent, demanded = Expect.VALUE, False, None, "", False, False
        if kind is Kind.LOOK:
            expect = expectation.wants(source, alive) if idiom.matcher else context.expected(node, alive, self.spec)
            zombies = zombies and not self.knows_zombies
            if idiom.who == "none" and idiom.kind is Kind.LOOK and expect not in (Expect.DEAD, Expect.ALIVE):
                return  # all processes, of which nothing is demanded
        elif kind is Kind.WAIT:
            if receiver is not None and receiver.type in CALLS and idioms.command(text(receiver)) is not None:
                return  # waits for `taskkill`, and not for whom it kills
            if context.must_fail(node, self.spec) or (
                idiom.alive is Alive.FALSE and plain and context.expected(node, Alive.FALSE, self.spec) is Expect.ALIVE
            ):
                return
            limit = self._limit(idiom, node, plain, 1.0)
            named = re.search(r"\(\s*(?:\w*timeout\w*\s*=\s*)?([A-Za-z_]\w*)\s*\)$", source)
            limit_name = named[1] if named and limit is None else ""
            tolerant = context.is_tolerant(node, self.spec, escalates=True)
            outer = context.chain_root(node).parent
            silent = idiom.silent and outer is not None and outer.type in _ALONE and "ExitAsync(" not in source
            raises = self.spec.name == "python" and not tolerant and re.search(r"\.(?:wait|communicate)\(", source)
            demanded = (
                bool(raises)
                if idiom.alive is not Alive.FALSE
                else context.expected(node, Alive.FALSE, self.spec) is Expect.DEAD
            )
        elif kind is Kind.ASSIGN:
            tolerant = context.is_tolerant(node, self.spec, escalates=False) or context.is_dropped(node, self.spec)
        elif kind is Kind.BIND and "xist" in source:
            expect = context.expected(node, Alive.TRUE, self.spec)
        elif kind is Kind.EFFECT:
            expect = context.expected(node, Alive.TRUE, self.spec)
            if expect not in (Expect.DEAD, Expect.ALIVE):
                return
        elif kind is Kind.SLEEP:
            limit = self._limit(idiom, node, plain, 1.0)
        given = source[len(text(receiver)) :] if receiver is not None else source
        limited = kind in (Kind.SIGNAL, Kind.LOOK) and idioms.LIMITED.search(given) is not None
        limited = limited or (kind is Kind.SIGNAL and idioms.FORCED.search(given) is not None)
        if kind is Kind.LOOK and limited:
            kind = Kind.WAIT  # it looks again and again
        out.append(Event(kind, line, names, source[:2000], scope=scope, signal=signal, alive=alive, counts_zombies=zombies, expect=expect,  # noqa: E501
                         timeout_s=limit, reaps=idiom.reaps and "WNOWAIT" not in source, tolerant=tolerant, needs_known=idiom.known, limit_name=limit_name, silent=silent, by_pid=by_pid, demanded=demanded))  # fmt: skip  # noqa: E501
        if kind is Kind.SIGNAL and limited:
            out.append(Event(Kind.WAIT, line, names, source[:400], tolerant=True))
        elif kind is Kind.SIGNAL and self._answers(idiom, node):
            demanded = node.parent is not None and node.parent.type in _DEMANDED  # None is never worth an assertion
            answers = Event(Kind.WAIT, line, names, source[:400], tolerant=True, of_wrapper=True)
            out.extend([answers, replace(answers, of_wrapper=False)] if demanded else [answers])

    def _ran(self, receiver: Node | None, plain: list[Node], source: str, line: int, out: list[Step]) -> None:
        """A command that was run to its end: it only slept, or needs a process that it is given the pid of."""
        slept = idioms.SLEEPS.search(source)
        if slept is not None and idioms.AWAY.search(source) is None:
            out.append(Event(Kind.SLEEP, line, (), source[:400], timeout_s=float(slept[1])))
            return
        if idioms.BESIDE.search(source) is not None:
            out.append(Event(Kind.SPAWN, line, (), source[:2000]))
            return
        command = names_in(text(receiver)) if receiver is not None and not plain else ()
        if command:
            out.append(Event(Kind.SPAWN, line, command, source[:400], needs_known=True, beside=True))
        if _CLIENT.search(f"({self._command_source(plain, source)}") is not None:
            out.append(Event(Kind.USE, line, (), source[:2000]))
        names = tuple(n for a in plain for n in names_in(text(a)) if n not in _KEYWORDS)
        if names:
            out.append(Event(Kind.ASSIGN, line, names, source[:2000], to_program=True))

    def _answers(self, idiom: Idiom, node: Node) -> bool:
        """Whether the answer of a signal is used, or awaited, where the library's own have none.

        It is a method of the project's then, and may wait.
        """
        parent = node.parent
        if idiom.who != "receiver" or parent is None:
            return False
        if self.spec.name == "python":
            return bool(idiom.signal) and parent.type in _USED
        return self.spec.name in ("javascript", "typescript", "tsx") and parent.type == "await_expression"

    def _command_source(self, plain: list[Node], source: str) -> str:
        """Return the source of the command that a call runs: its own, or that of the variable it is given."""
        first = text(plain[0]).lstrip("$") if plain else ""
        return self.constants.get(first, source) if first.isidentifier() else source

    def _who(self, idiom: Idiom, receiver: Node | None, plain: list[Node]) -> tuple[str, ...]:
        if idiom.who in ("new", "none"):
            return ()
        if idiom.who == "receiver":
            if idiom.kind in (Kind.SIGNAL, Kind.LOOK) and plain:
                given = names_in(text(plain[0])) if _OPERAND.match(text(plain[0])) else ()
                if given and _PROCESS.search(given[0]):
                    return given  # `ProcessTools.kill(pid)`: no process takes another one as an argument
            return names_in(text(receiver)) if receiver is not None else ()
        if idiom.who == "any":
            return tuple(n for part in (receiver, *plain) if part is not None for n in names_in(text(part)))
        if idiom.who == "args":
            return tuple(n for a in plain for n in names_in(text(a)))
        index = int(idiom.who)
        return names_in(text(plain[index])) if -len(plain) <= index < len(plain) else ()


def _asks_of_pid(node: Node, source: str) -> bool:
    """Whether a short call is given a pid, and its answer is taken as it is."""
    return len(source) < ASKED_BYTES and _GIVEN_PID.search(source) is not None and not _begins_a_chain(node)


def _begins_a_chain(node: Node) -> bool:
    parent = node.parent
    return parent is not None and (parent.type in CALLS or parent.type in MEMBERS)


def idiom_of(spec: Spec, dotted: str, source: str) -> Idiom | None:
    """Return the first idiom of the language that a call with this path and source is."""
    return next((i for i in spec.fitting(dotted) if i.accepts(source)), None)


def _scope(scope: Scope, names: tuple[str, ...], plain: list[Node], source: str) -> Scope:
    if scope is not Scope.LEADER:
        return scope
    if any(re.match(r"-\s*[A-Za-z_($@]|Pid::from_raw\(\s*-", text(a).lstrip("(")) for a in plain) or re.search(
        r"['\":]-(?:SIG)?(?:TERM|KILL|INT|HUP|QUIT)\b", source
    ):
        return Scope.GROUP
    if re.search(r"getpgid|pgid|pgrp|killpg", source):
        return Scope.GROUP
    if re.search(r"recursive=True|\.children\(|entireProcessTree|descendants\(", source):
        return Scope.TREE
    return scope
