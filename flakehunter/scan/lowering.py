"""Turn the syntax tree of a function into events and the control flow that orders them, for all languages but bash."""

import re
from collections.abc import Container
from dataclasses import replace

from tree_sitter import Node

from flakehunter.scan import context, expectation, idioms
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
from flakehunter.scan.idioms import Idiom
from flakehunter.scan.syntax import (
    ASSIGNMENTS,
    CALLS,
    IFS,
    LOOPS,
    MEMBERS,
    STRINGS,
    Spec,
    arguments,
    callee,
    child,
    member,
    names_in,
    normal,
    path,
    text,
)

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
_READS = re.compile(
    r"stdout|readline|read_text|readFile|ReadFile|ReadAll|File\.read|read_to_string|\.read\b|\bread\(|gets\b|recv|Scan|[oO]utput|"
    r"execSync|\bcat\s|children\(|pgrep|lines\b|trim|Trim|strip|chomp|getInputStream|readLine|file_get_contents|fscanf|match\("
)
_FILES = re.compile(
    r"read_text|readFile|ReadFile|File\.read|IO\.read|\bopen\(|fs\.read|read_to_string|file_get_contents|Files\.read|ReadAllText|fopen|fscanf|ifstream|"
    r"\.readText|read_bytes|slurp|\bcat\s"
)
_PARSES = re.compile(
    r"\bint\(|Number\(|parseInt|Atoi|ParseInt|\.to_i\b|toInt|parse::|\.parse\(|strtol|\batoi|toLong|Integer\(|intval|Parse\(|parseLong|"
    r"\(int\)|from_str"
)
_OWN_PID = re.compile(r"\.pid\b|\.Pid\b|\bid\(\)|getpgid|\.Id\b|->pid|getPid|get_pid|\bpid\(\)")
_JUMPS = re.compile(r"\b(?:break|return|done|last|throw|raise|exit|next|panic|abort|_exit|execv?\w*|Exit|die|fail|Fatal\w*)\b")
_NAME = re.compile(r"(?<![\w.])@{0,2}[A-Za-z_][\w.]*(?!\w)")
_ZOMBIE = re.compile(r"zombie|ZOMBIE|['\"]ZX?['\"]|defunct|['\"]X?Z['\"]")
_LEAVES = re.compile(r"\b(?:break|return|last)\b")
_CHILD_SIDE = re.compile(r"^\(?\s*(?:!\s*\w+|not \w+|\w*pid\w*\s*===?\s*0|0\s*===?\s*\w+|\w+\s*===?\s*0|\w+(?:\.|->)?is_child\(\)|\w+\.nil\?)\s*\)?:?$")
_TIMEBOX = re.compile(r"(?:^|\.)(?:wait_for|timeout|timeout_at|fail_after|move_on_after|withTimeout|withTimeoutOrNull|WithTimeout|assertTimeoutPreemptively)$")


def idiom_of(spec: Spec, dotted: str, source: str) -> Idiom | None:
    """Return the first idiom of the language that a call with this path and source is."""
    return next((i for i in spec.fitting(dotted) if i.accepts(source)), None)


class Lowering:
    """Lowers one function; makes no judgement, only notes what happens in which order."""

    def __init__(self, spec: Spec, helpers: Container[str] = ()) -> None:
        self.spec = spec
        self.helpers = helpers
        self.look_names: set[str] = set()
        self.constants: dict[str, str] = {}
        self.strings: list[str] = []
        self.knows_zombies = False
        """The function asks for the state of the process: a zombie does not count as alive."""

    # ---- functions ----

    def function(self, node: Node, name: str, body: Node | None = None) -> Function:
        """Lower the function, closure or test body `node`."""
        body = body or child(node, "body") or next((n for n in node.named_children if n.type == "function_body"), None) or node
        is_expression = body.type not in ("block", "statement_block", "compound_statement", "body_statement", "do_block", "function_body",
                                          "block_body", "lambda_literal", "do")  # fmt: skip
        self.knows_zombies = node.parent is not None and _ZOMBIE.search(text(node)) is not None
        flow = self._flow_of(*(body.named_children if body is node else (body,)))
        if is_expression and body is not node:
            flow = (*flow, Return(names_in(text(body))))
        elif self.spec.name in ("rust", "ruby") and body.named_child_count:
            last = body.named_children[-1]
            last = last.named_children[-1] if last.type in ("body_statement", "block_body") and last.named_child_count else last
            flow = (*flow, Return(names_in(text(last)) if last.end_byte - last.start_byte < 200 else ()))
        above = text(node.parent.named_children[0]) if node.parent is not None and node.parent.type == "decorated_definition" else ""
        decorators = "".join(text(n) for n in node.parent.named_children if n.type == "decorator") if above and node.parent else ""
        return Function(
            name=name,
            language=self.spec.name,
            line=node.start_point[0] + 1,
            parameters=parameters(node),
            flow=flow,
            strings="\n".join(self.strings),
            is_fixture="fixture" in decorators or "contextmanager" in decorators,
            retries=bool(re.search(r"@\S*retr(?:y|ies)", decorators)),
            auto_reaps=self.spec.auto_reaps,
            end_line=node.end_point[0] + 1,
        )

    def _flow_of(self, *nodes: Node | None) -> Flow:
        out: list[Step] = []
        for node in nodes:
            if node is not None:
                self._visit(node, out)
        return tuple(out)

    # ---- dispatch ----

    def _visit(self, node: Node, out: list[Step]) -> None:
        kind = node.type
        if kind in self.spec.functions or kind == "comment":
            return
        if kind in STRINGS:
            self.strings.append(text(node))
            if kind == "subshell":
                self._call(node, out)
                return
        if kind in CALLS:
            self._call(node, out)
        elif kind in LOOPS:
            self._loop(node, out)
        elif kind in IFS:
            self._if(node, out)
        elif kind in ASSIGNMENTS:
            self._assignment(node, out)
        elif kind in self.spec.tries:
            self._try(node, out)
        elif kind in MEMBERS:
            self._property(node, out)
        elif kind == "with_statement" and self.spec.name == "python":
            self._with(node, out)
        elif kind == "assert_statement":
            self._children(node, out)
            self._use(node, "assert", out)
        elif kind == "defer_statement":
            out.append(Aside(self._flow_of(*node.named_children), deferred=True))
        elif kind == "go_statement":
            self._goroutine(node, out)
        elif kind in ("return_statement", "return_expression", "return", "jump_expression", "yield"):
            self._children(node, out)
            given = re.sub(r"^\s*(?:return|yield)\b", "", text(node)) if node.named_child_count and node.end_byte - node.start_byte < 500 else ""
            names = () if _READS.search(given) else names_in(given)
            out.append(Return(names, yields=kind == "yield"))
        elif kind == "list_comprehension" or kind == "generator_expression":
            self._comprehension(node, out)
        elif kind == "unary_expression" and text(node).startswith("<-"):
            out.append(Event(Kind.WAIT, _line(node), names_in(text(node)[2:]), text(node), timeout_s=None, needs_known=True))
            self._children(node, out)
        elif kind == "await_expression" or kind == "await":
            self._await(node, out)
        elif kind == "select_statement":
            self._select(node, out)
        elif kind == "switch_expression" or kind == "match_expression":
            self._match(node, out)
        else:
            if kind == "infix_expression" and "should" in text(node):
                self._use(node, "assert", out)
            self._children(node, out)

    def _children(self, node: Node, out: list[Step]) -> None:
        for inner in node.named_children:
            self._visit(inner, out)

    # ---- statements ----

    def _if(self, node: Node, out: list[Step]) -> None:
        condition = child(node, "condition")
        then = child(node, "consequence", "body")
        before = child(node, "initializer")
        if before is not None:
            self._visit(before, out)
        rest = [n for n in node.named_children if n not in (condition, then, before) and n.type != "comment"]
        if then is None and rest:
            then, rest = rest[0], rest[1:]
        if condition is not None:
            self._visit(condition, out)
            source = text(condition)
            if _CHILD_SIDE.match(source) and any(isinstance(s, Store) and _forks(s) for s in out):
                # The child's side of a fork: another process, whose text may tell what it sets up.
                self.strings.append(text(then))
                marked = [i for i, s in enumerate(out) if isinstance(s, Store) and _forks(s)][-1]
                out[marked] = _with_script(out[marked], text(then))
                out.extend(self._flow_of(*rest))
                return
            if not self.look_names.isdisjoint(_NAME.findall(source)):
                then_text, else_text = context.branches(node)
                if node.type.startswith("unless"):
                    then_text, else_text = else_text, then_text
                fails = "then-fails" if expectation.FAILS.search(then_text) else "else-fails" if expectation.FAILS.search(else_text) else ""
                self._use(condition, fails, out)
        alternatives = [self._flow_of(then), self._flow_of(*rest)]
        jumps = (_ends_in_jump(then), any(_ends_in_jump(n) for n in rest))
        if any(alternatives):
            out.append(Branch(tuple(alternatives), jumps))

    def _match(self, node: Node, out: list[Step]) -> None:
        value = child(node, "value") or node.named_children[0]
        self._visit(value, out)
        body = child(node, "body") or node.named_children[-1]
        arms = [self._flow_of(child(arm, "value") or arm) for arm in body.named_children if "arm" in arm.type or "section" in arm.type]
        if any(arms):
            out.append(Branch(tuple(arms), tuple(bool(_LEAVES.search(text(a))) for a in body.named_children if "arm" in a.type or "section" in a.type)))

    def _loop(self, node: Node, out: list[Step]) -> None:
        condition = child(node, "condition")
        if node.type in ("for_statement",) and condition is None:
            clause = next((n for n in node.named_children if n.type == "for_clause"), None)
            condition = child(clause, "condition") if clause is not None else None
            if clause is None and self.spec.name == "go" and node.named_child_count == 2:
                condition = node.named_children[0] if node.named_children[0].type != "range_clause" else None
        left = child(node, "left", "pattern", "name")
        right = child(node, "right", "value")
        checked = self._flow_of(condition)
        body: list[Step] = []
        if left is not None and right is not None:
            checked = (*checked, *self._flow_of(right))
            body.append(Store(_line(node), self._targets(left), (), names_in(text(right))))
        if node.type == "for_statement" and self.spec.name == "go" and (ranged := next((n for n in node.named_children if n.type == "range_clause"), None)):
            over, what = child(ranged, "left"), child(ranged, "right")
            if over is not None:
                body.append(Store(_line(node), self._targets(over), (), names_in(text(what))))
        for inner in node.named_children:
            if inner not in (condition, left, right) and inner.type not in ("for_clause", "range_clause"):
                self._visit(inner, body)
        flow = (*checked, *body)
        out.append(Loop(_line(node), flow, *self._polling(node, checked, tuple(body), condition)))

    def _polling(self, node: Node, checked: Flow, body: Flow, condition: Node | None) -> tuple[bool, float | None, tuple[str, ...]]:
        """Return whether the loop polls, its deadline in seconds, and the names it may poll through a helper."""
        source = text(node) if any(isinstance(s, Event | Call) for s in walk((*checked, *body))) else ""
        if not source:
            return False, None, ()
        condition_text = text(condition)
        pauses = [e for e in events(body, Kind.SLEEP)] + [e for e in events(body, Kind.WAIT) if e.timeout_s is not None]
        pauses += [e for e in events(checked, Kind.WAIT) if e.timeout_s is not None]
        looks = list(events(body, Kind.LOOK)) + [s for s in walk(body) if isinstance(s, Call) and _looks(s)]
        in_condition = any(events(checked, Kind.LOOK)) or any(isinstance(s, Call) and _looks(s) for s in walk(checked))
        leaves = bool(_LEAVES.search(source))
        asserted = any(getattr(look, "expect", None) is Expect.DEAD for look in looks)
        endless = node.type in ("loop_expression",) or re.match(r"\(?\s*(?:true|True|1|;;)?\s*\)?$", condition_text) is not None
        binds = any(events(body, Kind.BIND, Kind.USE))
        in_condition = in_condition or (bool(pauses) and any(events(checked, Kind.BIND, Kind.EFFECT)))
        polls = in_condition or (bool(pauses) and bool(looks) and (leaves or not asserted)) or (endless and leaves and bool(looks) and condition is not None)
        polls = polls or (bool(pauses) and leaves and binds)
        maybe = bool(pauses) or condition is not None
        names = tuple({n for s in walk((*checked, *body)) if isinstance(s, Call) for arg in (*s.args, s.receiver) for n in arg}) if maybe and not polls else ()
        return polls, self._deadline(source, condition_text, pauses) if polls or names else None, names

    def _deadline(self, source: str, condition: str, pauses: list[Event]) -> float | None:
        for name in re.findall(r"\b(\w*(?:deadline|end|stop|limit|until|timeout|expire|give_up|max|start)\w*)\b", condition or source, re.IGNORECASE):
            value = self.constants.get(name, "")
            found = re.search(r"\+\s*(.+)|\.(?:Add|plus\w*|add|AddSeconds|AddMilliseconds|checked_add)\((.*)\)", value, re.DOTALL)
            if found:
                return self._clock_duration(found[0], value)
        compared = re.search(r"(?:<|<=|>|>=)\s*([\w.:()*]*\d[\w.:()*]*)", condition)
        if compared and re.search(r"time|now|Now|elapsed|Elapsed|Since|SECONDS|-\s*start", condition):
            return self._clock_duration(compared[1], condition)
        count = re.search(r"(?:range\(|0\.\.=?\s*|<=?\s*|seq\s+(?:1\s+)?)(\d+)\s*(?:\)|;|\s*\{|:)|\b(\d+)\.times", source.split("\n")[0])
        pause = next((p.timeout_s for p in pauses if p.timeout_s), None)
        if count and pause:
            return int(count[1] or count[2]) * pause
        return None

    def _clock_duration(self, added: str, value: str) -> float | None:
        unit = 1.0
        if re.search(r"Date\.now|currentTimeMillis|performance\.now|getTime|TickCount|uptimeMillis|AddMilliseconds", value):
            unit = 1e-3
        elif "nanoTime" in value:
            unit = 1e-9
        name = re.match(r"\+\s*([A-Za-z_]\w*)\s*$", added.strip())
        if name:
            return duration_s(self.constants.get(name[1], ""), unit)
        return duration_s(added, unit)

    def _try(self, node: Node, out: list[Step]) -> None:
        handlers = [n for n in node.named_children if n.type.startswith(("except", "catch", "rescue"))]
        finals = [n for n in node.named_children if n.type.startswith(("finally", "ensure"))]
        resources = child(node, "resources")
        parts = [resources, *(n for n in node.named_children if n not in handlers and n not in finals and n != resources)]
        if node.type == "try_expression" and not handlers and not finals:
            self._children(node, out)
            return
        out.extend(self._answered(self._flow_of(*parts), handlers))
        handled = tuple(self._flow_of(n) for n in handlers)
        if any(handled):
            out.append(Branch((*handled, ()), (*(_ends_in_jump(n) for n in handlers), False)))
        out.extend(self._flow_of(*finals))

    def _answered(self, body: Flow, handlers: list[Node]) -> Flow:
        """Store the answer of a look whose failure only sets a variable: `except ProcessLookupError: alive = False`."""
        found = re.search(r"\b(\w+)\s*=\s*(False|false|True|true)\b", " ".join(text(h) for h in handlers))
        if found is None or not any(s.alive is Alive.NO_ERROR and s.expect is Expect.VALUE for s in events(body, Kind.LOOK)):
            return body
        alive = Alive.TRUE if found[2].lower() == "false" else Alive.FALSE
        self.look_names.add(found[1])
        # The variable is set after the look, in the body or before it: the look itself has the last word here.
        rest = [s for s in body if not (isinstance(s, Event) and s.kind is Kind.LOOK)]
        looks = tuple(replace(s, alive=alive) for s in body if isinstance(s, Event) and s.kind is Kind.LOOK)
        return (*rest, Store(looks[0].line if looks else 0, (found[1],), looks, ()))

    def _with(self, node: Node, out: list[Step]) -> None:
        managed: list[str] = []
        for item in (n for n in node.named_children[0].named_children if n.type == "with_item"):
            value = item.named_children[0]
            if value.type == "as_pattern":
                alias = child(value, "alias")
                targets = self._targets(alias) if alias is not None else ()
                inner = self._flow_of(value.named_children[0])
                out.append(Store(_line(node), targets, inner, names_in(text(value.named_children[0]))))
                managed.extend(targets)
            else:
                self._visit(value, out)
        body = child(node, "body")
        boxed = _TIMEBOX.search(path(node.named_children[0].named_children[0].named_children[0])[:-2]) if node.named_children[0].named_child_count else None
        inner_flow = self._flow_of(body)
        clause = text(node.named_children[0])
        if boxed or "fail_after" in clause or ".timeout(" in clause:
            inner_flow = _boxed(inner_flow, duration_s(clause))
        out.extend(inner_flow)
        out.extend(Event(Kind.WAIT, node.end_point[0] + 1, (name,), "with", needs_known=True) for name in managed)

    def _goroutine(self, node: Node, out: list[Step]) -> None:
        body = self._flow_of(*node.named_children)
        waited = [name for e in events(body, Kind.WAIT) for name in e.names]
        out.append(Aside(body))
        if waited:
            signalled = re.findall(r"(\w[\w.]*)\s*<-|close\(([\w.]+)\)|([\w.]+)\.Done\(\)", text(node))
            targets = tuple(name for group in signalled for name in group if name)
            out.append(Store(_line(node), targets, (), tuple(waited)))

    def _select(self, node: Node, out: list[Step]) -> None:
        limit = re.search(r"time\.After\(([^)]*\)?)", text(node))
        alternatives, jumps = [], []
        for case in node.named_children:
            communication = child(case, "communication")
            received = text(communication)
            if communication is not None and "time.After" not in received and "<-" in received:
                names = names_in(received.split("<-", 1)[1])
                fails = is_escalating(node)
                out.append(Event(Kind.WAIT, _line(case), names, received, timeout_s=duration_s(limit[1]) if limit else None, tolerant=fails, needs_known=True))
            flow = self._flow_of(*(n for n in case.named_children if n != communication))
            alternatives.append(flow)
            jumps.append(bool(_JUMPS.search(text(case))))
        if any(alternatives):
            out.append(Branch(tuple(alternatives), tuple(jumps)))

    # ---- expressions ----

    def _assignment(self, node: Node, out: list[Step]) -> None:
        left = child(node, "left", "name", "pattern", "declarator")
        right = child(node, "right", "value")
        if right is None:
            others = [n for n in node.named_children if n != left]
            left = left if left is not None else (node.named_children[0] if node.named_child_count else None)
            others = [n for n in node.named_children if n != left and n.type not in ("type_annotation", "user_type", "modifiers")]
            right = others[-1] if others else None
        if right is None or left is None:
            self._children(node, out)
            return
        while right.type == "assignment" or right.type == "assignment_expression":
            self._visit(right, out)
            right = child(right, "right") or right.named_children[-1]
        targets = self._targets(left)
        if right.type in self.spec.closures or right.type in ("function_expression",):
            return  # a helper of its own
        source = text(right) if right.end_byte - right.start_byte < 2000 else text(right)[:2000]
        value = self._flow_of(right)
        for target in targets:
            if len(source) < 400:
                self.constants[target] = source
        if any(events(value, Kind.LOOK)) or any(isinstance(s, Call) for s in walk(value)):
            self.look_names.update(targets)
        if self.spec.name in ("javascript", "typescript", "tsx") and right.type not in ("await_expression", "parenthesized_expression"):
            # A promise of the exit, not a wait: the wait is where the variable is awaited.
            value = tuple(step for step in value if not (isinstance(step, Event) and step.kind is Kind.WAIT))
        reads = bool(_READS.search(source))
        pidlike = any(re.search(r"pid|Pid|PID", t) for t in targets)
        derived = (bool(_PARSES.search(source)) and not _OWN_PID.search(source)) or (reads and pidlike and not _OWN_PID.search(source))
        derived = derived or (pidlike and bool(idioms.READING_PID.search(path(right).removesuffix("()").rpartition(".")[2])))
        names = names_in(source)
        if right.type in CALLS:
            receiver, _ = callee(right)
            if value and isinstance(value[-1], Event) and value[-1].kind in (Kind.WAIT, Kind.LOOK) and value[-1].names:
                names = value[-1].names if value[-1].kind is Kind.WAIT else ()
        out.append(Store(_line(node), targets, value, names, derived=derived, from_file=derived and bool(_FILES.search(source))))

    def _targets(self, node: Node) -> tuple[str, ...]:
        if node.type in MEMBERS or node.child_count == 0 or node.type == "variable_name":
            return (normal(text(node)) or text(node),) if text(node) != "_" else ()
        found: list[str] = []
        for part in re.split(r"[,\s(){}\[\]:]+", re.sub(r"=[^,}]*", "", text(node))):
            name = part.strip("*&;").lstrip("$")
            if re.fullmatch(r"@{0,2}[A-Za-z_][\w.]*", name) and name not in ("_", "mut", "ref", "let", "var", "const", "Some", "Ok", "async", "Process"):
                found.append(name)
        return tuple(found)

    def _comprehension(self, node: Node, out: list[Step]) -> None:
        for clause in (n for n in node.named_children if n.type == "for_in_clause"):
            left, right = child(clause, "left"), child(clause, "right")
            if left is not None and right is not None:
                self._visit(right, out)
                out.append(Store(_line(node), self._targets(left), (), names_in(text(right))))
        for part in node.named_children:
            if part.type != "for_in_clause":
                self._visit(part, out)

    def _await(self, node: Node, out: list[Step]) -> None:
        inner = node.named_children[0] if node.named_child_count else None
        if inner is not None and inner.type in ("identifier", "member_expression", "attribute", "field_expression", "field_access"):
            out.append(Event(Kind.WAIT, _line(node), names_in(text(inner)), text(node), needs_known=True))
        elif inner is not None and path(inner) in ("Promise.all()", "Promise.allSettled()", "asyncio.gather()", "Task.WhenAll()"):
            self._children(node, out)
            out.append(Event(Kind.WAIT, _line(node), names_in(text(child(inner, "arguments"))), text(node), needs_known=True))
        elif inner is not None and path(inner) == "Promise.race()":
            self._children(node, out)
            timers = [text(node), *(self.constants.get(name, "") for name in names_in(text(child(inner, "arguments"))))]
            found = [re.search(r"(?:setTimeout\(.*?,|sleep\(|delay\(|timeout\w*\()\s*(\d[\d_]*)", timer, re.DOTALL) for timer in timers]
            limit = next((float(m[1].replace("_", "")) / 1000 for m in found if m), None)
            out.append(Event(Kind.WAIT, _line(node), names_in(text(child(inner, "arguments"))), text(node), timeout_s=limit, needs_known=True, tolerant=context.is_tolerant(node, self.spec, escalates=True)))
        else:
            self._children(node, out)

    def _property(self, node: Node, out: list[Step]) -> None:
        receiver, name = member(node)
        if receiver is not None and receiver.child_count:
            self._visit(receiver, out)
        if not self.spec.properties or (node.parent is not None and node.parent.type in CALLS and child(node.parent, "function") == node):
            return
        dotted = f"{path(receiver)}.{text(name)}"
        for idiom in self.spec.fitting(dotted, properties=True):
            source = text(receiver)
            expect = context.expected(node, idiom.alive, self.spec)
            if idiom.accepts(text(node)) and not _assigned(node):
                out.append(Event(idiom.kind, _line(name or node), names_in(source), text(node), alive=idiom.alive, expect=expect,
                                 counts_zombies=idiom.counts_zombies, needs_known=idiom.known))  # fmt: skip
                return

    def _use(self, node: Node, branch: str, out: list[Step]) -> None:
        if not self.look_names or not branch:
            return
        root = context.chain_root(node) if branch == "assert" else node
        source = re.sub(r"\s+", " ", text(root))
        used = sorted(self.look_names.intersection(_NAME.findall(source)))
        if used:
            marked = re.sub(rf"(?<![\w.])(?:{'|'.join(map(re.escape, used))})(?!\w)", "@", source)
            out.append(Use(_line(node), tuple(used), marked, branch))

    def _call(self, node: Node, out: list[Step]) -> None:
        receiver, name = callee(node)
        dotted = "subshell" if node.type == "subshell" else path(node)[:-2]
        last = dotted.rpartition(".")[2]
        closures = self._closures(node)
        if (TEST_CALLS.match(dotted) or (name is not None and name.type in STRINGS)) and closures and self.spec.name in ("javascript", "typescript", "tsx", "ruby", "go", "kotlin"):
            return  # tests and hooks are functions of their own
        if receiver is not None:
            self._visit(receiver, out)
        plain = [a for a in arguments(node) if a not in closures]
        if node.type == "call_expression" and (function := child(node, "function")) is not None and function.type in self.spec.closures:
            closures.append(function)
        inner: list[Step] = []
        for argument in plain:
            self._visit(argument, inner)
        if _TIMEBOX.search(dotted):
            limit = " ".join(text(a) for a in plain if a.type not in CALLS or re.search(r"from_|Duration|milli|sec", text(a)))
            out.extend(_boxed(tuple(inner), duration_s(limit, 1e-3 if self.spec.name in ("javascript", "kotlin") else 1.0)))
        else:
            out.extend(inner)
        source = text(node)
        idiom = idiom_of(self.spec, dotted, source)
        line = _line(name or node)
        if closures:
            self._with_closures(node, dotted, plain, closures, idiom, out)
            if idiom is None:
                return
        if idiom is not None:
            before = len(out)
            self._idiom(idiom, node, receiver, plain, line, out)
            if idiom.who == "receiver" and last in self.helpers and len(out) == before + 1 and isinstance(out[-1], Event):
                out[-1] = replace(out[-1], instead=self._helper(node, receiver, dotted, last, plain, line, source))
            return
        if expectation.ASSERTING.search(dotted):
            self._use(node, "assert", out)
        if idioms.POLLING.search(dotted) and not closures and any(a.type in ("identifier", "attribute", "lambda") for a in plain) and not idioms.looks(last):
            names = tuple(n for a in plain for n in names_in(text(a)))
            out.append(Call(line, last, dotted, names_in(text(receiver)), tuple(names_in(text(a)) for a in plain), Expect.LOOP, source[:400]))
            del names
            return
        if last in self.helpers or idioms.speaks(last):
            out.append(self._helper(node, receiver, dotted, last, plain, line, source))

    def _helper(self, node: Node, receiver: Node | None, dotted: str, last: str, plain: list[Node], line: int, source: str) -> Call:
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

    def _with_closures(self, node: Node, dotted: str, plain: list[Node], closures: list[Node], idiom: Idiom | None, out: list[Step]) -> None:
        """Place the bodies of closures: polled, run beside, run at the end, after an exit, or in place."""
        receiver, _ = callee(node)
        bodies = tuple(step for c in closures for step in self._flow_of(child(c, "body") or c))
        line = _line(node)
        given = Store(line, tuple(p for c in closures for p in parameters(c)), (), names_in(text(receiver)))
        around = " ".join(text(a) for a in plain)
        if idiom is not None and idiom.kind in (Kind.SPAWN, Kind.BUILD):
            # The block of fork is the child's own code; a callback of exec runs when the child has ended.
            self.strings.append(text(closures[0]))
            if self.spec.name in ("javascript", "typescript", "tsx"):
                out.append(Aside(bodies))
            return
        if idiom is not None and idiom.kind is Kind.SLEEP:
            source = " ".join(text(c) for c in closures)
            if len(source) < 60 and not bodies or re.fullmatch(r"\(?\w*\)?\s*=>\s*\w+\(\)", source):
                return
            pause = Event(Kind.SLEEP, line, (), text(node), timeout_s=self._limit(idiom, node, plain, 1.0))
            out.append(Aside((pause, *bodies)))
            return
        if _EXIT_CALLBACK.search(dotted) and re.search(r"['\"](?:exit|close|end|disconnect)['\"]", around):
            out.append(Aside((Event(Kind.WAIT, line, names_in(text(receiver)), text(node)[:80], needs_known=True), *bodies)))
        elif idioms.POLLING.search(dotted) or dotted.endswith(("setInterval", "loop")):
            out.append(Loop(line, bodies, not dotted.endswith("loop") or any(events(bodies, Kind.LOOK)), self._poll_limit(node, plain, dotted)))
        elif _CLEANUP.search(dotted):
            out.append(Aside(bodies, deferred=True))
        elif _ASIDE.search(dotted):
            out.append(Aside(bodies))
        elif _TIMEBOX.search(dotted):
            out.extend(_boxed(bodies, duration_s(around)))
        else:
            if given.targets and given.names:
                out.append(given)
            out.extend(bodies)

    def _poll_limit(self, node: Node, plain: list[Node], dotted: str) -> float | None:
        source = text(node)
        unit = 1e-3 if self.spec.name in ("javascript", "typescript", "tsx") else self.spec.wait_unit_s if self.spec.name != "java" else 1.0
        named = re.search(r"(?:timeout\w*|within|deadline|time_limit|timeLimit|duration)[\"']?\s*(?:[:=]|=>)\s*([^,)}]+)|(?:atMost|WithTimeout|within)\(((?:[^()]|\([^()]*\))*)\)", source)
        if named:
            return duration_s(named[1] or named[2], unit)
        found = [d for a in plain if a.type not in STRINGS or re.match(r"[\"']\d", text(a)) for d in [duration_s(text(a).strip("\"'"), unit)] if d]
        outer = callee(node)[0]
        if not found and outer is not None and idioms.POLLING.search(dotted):
            found = [d for a in arguments(outer) for d in [duration_s(text(a), unit)] if d] if outer.type in CALLS else []
        return max(found) if found else None

    def _limit(self, idiom: Idiom, node: Node, plain: list[Node], unit: float) -> float | None:
        """Return the time limit or pause that a call gives, in seconds."""
        unit = self.spec.sleep_unit_s if idiom.kind is Kind.SLEEP else self.spec.wait_unit_s
        if idiom.signal in ("us", "ms", "ns", "s"):  # the unit of functions such as usleep
            unit = {"us": 1e-6, "ms": 1e-3, "ns": 1e-9, "s": 1.0}[idiom.signal]
        named = re.search(r"\btimeout\w*[\"']?\s*(?:=|:|=>)\s*([^,)}]+)", text(node))
        if named and idiom.kind is Kind.WAIT:
            value = named[1].strip()
            return duration_s(self.constants.get(value, value) if value.isidentifier() else value, unit)
        if not isinstance(idiom.timeout, int) or idiom.timeout >= len(plain):
            return None
        source = ", ".join(text(a) for a in plain[idiom.timeout :])
        first = text(plain[idiom.timeout])
        if first.isidentifier() and first in self.constants:
            source = self.constants[first]
        return duration_s(source, unit)

    def _idiom(self, idiom: Idiom, node: Node, receiver: Node | None, plain: list[Node], line: int, out: list[Step]) -> None:
        source = text(node)
        kind, scope, signal, names = idiom.kind, idiom.scope, "TERM", self._who(idiom, receiver, plain)
        alive, zombies = idiom.alive, idiom.counts_zombies
        if kind in (Kind.SPAWN, Kind.BUILD) and (ordered := idioms.command(source)) is not None:
            names = tuple(n for a in plain for n in names_in(text(a))) or names_in(source)
            kind, scope, signal = ordered.kind, ordered.scope, ordered.signal
            alive, zombies = (Alive.ZERO, True)
            names = tuple(n for n in names if n not in ("subprocess", "DEVNULL"))
        elif idiom.run:
            return
        if kind is Kind.SIGNAL:
            signal = idiom.signal or (signal if idiom.kind is not Kind.SIGNAL else idioms.signal_name(source))
            scope = _scope(scope, names, plain, source)
            if signal in idioms.HARMLESS and signal == "0":
                kind = Kind.LOOK
        expect, tolerant, limit, limit_name = Expect.VALUE, False, None, ""
        if kind is Kind.LOOK:
            expect = context.expected(node, alive, self.spec)
            zombies = zombies and not self.knows_zombies
        elif kind is Kind.WAIT:
            if context.expects_timeout(node, self.spec) or (idiom.alive is Alive.FALSE and plain and context.expected(node, Alive.FALSE, self.spec) is Expect.ALIVE):
                return
            limit = self._limit(idiom, node, plain, 1.0)
            named = re.search(r"\(\s*(?:\w*timeout\w*\s*=\s*)?([A-Za-z_]\w*)\s*\)$", source)
            limit_name = named[1] if named and limit is None else ""
            tolerant = context.is_tolerant(node, self.spec, escalates=True)
        elif kind is Kind.ASSIGN:
            tolerant = context.is_tolerant(node, self.spec, escalates=False)
        elif kind is Kind.EFFECT:
            expect = context.expected(node, Alive.TRUE, self.spec)
            if expect not in (Expect.DEAD, Expect.ALIVE):
                return
        elif kind is Kind.SLEEP:
            limit = self._limit(idiom, node, plain, 1.0)
        out.append(Event(kind, line, names, source[:2000], scope=scope, signal=signal, alive=alive, counts_zombies=zombies, expect=expect,
                         timeout_s=limit, reaps=idiom.reaps and "WNOWAIT" not in source, tolerant=tolerant, needs_known=idiom.known, limit_name=limit_name))  # fmt: skip

    def _who(self, idiom: Idiom, receiver: Node | None, plain: list[Node]) -> tuple[str, ...]:
        if idiom.who in ("new", "none"):
            return ()
        if idiom.who == "receiver":
            return names_in(text(receiver)) if receiver is not None else ()
        if idiom.who == "any":
            return tuple(n for part in (receiver, *plain) if part is not None for n in names_in(text(part)))
        if idiom.who == "args":
            return tuple(n for a in plain for n in names_in(text(a)))
        index = int(idiom.who)
        return names_in(text(plain[index])) if -len(plain) <= index < len(plain) else ()


def _line(node: Node) -> int:
    return node.start_point[0] + 1


def _looks(call: Call) -> bool:
    return idioms.looks(call.name)


def _assigned(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type in ASSIGNMENTS and child(parent, "left") == node


def _statement(node: Node) -> Node:
    while node.parent is not None and node.parent.type not in ("block", "statement_block", "compound_statement", "body_statement", "module", "program", "statement_list"):
        node = node.parent
    return node


def _forks(store: Store) -> bool:
    return any("fork" in e.text for e in events(store.value, Kind.SPAWN))


def _with_script(step: Step, script: str) -> Step:
    assert isinstance(step, Store)
    value = tuple(
        Event(e.kind, e.line, e.names, f"{e.text} {script}") if isinstance(e, Event) and e.kind is Kind.SPAWN else e for e in step.value
    )
    return Store(step.line, step.targets, value, step.names, step.derived, step.from_file)


def _scope(scope: Scope, names: tuple[str, ...], plain: list[Node], source: str) -> Scope:
    if scope is not Scope.LEADER:
        return scope
    if any(re.match(r"-\s*[A-Za-z_($@]|Pid::from_raw\(\s*-", text(a).lstrip("(")) for a in plain) or re.search(r"['\":]-(?:SIG)?(?:TERM|KILL|INT|HUP|QUIT)\b", source):
        return Scope.GROUP
    if re.search(r"getpgid|pgid|pgrp|killpg", source):
        return Scope.GROUP
    if re.search(r"recursive=True|\.children\(|entireProcessTree|descendants\(", source):
        return Scope.TREE
    return scope


def _ends_in_jump(node: Node | None) -> bool:
    if node is None:
        return False
    source = text(node).rstrip(" \t\r\n;})")
    last = source.rsplit("\n", 1)[-1].rsplit(";", 1)[-1]
    return bool(_JUMPS.search(last))


def is_escalating(node: Node) -> bool:
    """Whether a `select` answers its time-out with a stronger signal."""
    return any("time.After" in text(child(c, "communication")) and context.KILL_WORDS.search(text(c)) is not None for c in node.named_children)


def _boxed(flow: Flow, limit_s: float | None) -> Flow:
    """Return `flow` with the time limit of the block around it on its waits."""
    if limit_s is None:
        return flow
    boxed: list[Step] = []
    for step in flow:
        if isinstance(step, Event) and step.kind is Kind.WAIT and step.timeout_s is None:
            step = Event(step.kind, step.line, step.names, step.text, timeout_s=limit_s, reaps=step.reaps, tolerant=step.tolerant, needs_known=step.needs_known)
        elif isinstance(step, Loop) and step.deadline_s is None:
            step = Loop(step.line, step.body, step.polls, limit_s, step.names)
        elif isinstance(step, Store):
            step = Store(step.line, step.targets, _boxed(step.value, limit_s), step.names, step.derived, step.from_file)
        boxed.append(step)
    return tuple(boxed)


def parameters(node: Node) -> tuple[str, ...]:
    """Return the names of the parameters of a function or closure, in order."""
    holder = child(node, "parameters", "parameter")
    if holder is None:
        declarator = child(node, "declarator")
        while declarator is not None and declarator.type != "function_declarator":
            declarator = child(declarator, "declarator")
        holder = child(declarator, "parameters") if declarator is not None else None
    if holder is None:
        holder = next((n for n in node.named_children if n.type in ("function_value_parameters", "lambda_parameters")), None)
    if holder is None:
        return ()
    if not holder.named_child_count:
        return (text(holder).lstrip("$"),) if holder.type == "identifier" else ()
    found: list[str] = []
    for parameter in holder.named_children:
        if parameter.type in ("keyword_separator", "comment", "self_parameter"):
            continue
        named = child(parameter, "name", "pattern", "declarator")
        if named is None and parameter.type in ("typed_parameter", "parameter", "variable_declaration"):
            named = parameter.named_children[0] if parameter.named_child_count else parameter
        source = re.sub(r"[*&\s]|\bmut\b|\[\]", "", text(named if named is not None else parameter))
        names = [text(n) for n in parameter.named_children if n.type == "identifier"] if parameter.type == "parameter_declaration" and child(parameter, "declarator") is None else []
        found.extend(names or [source.lstrip("$")])
    return tuple(found)
