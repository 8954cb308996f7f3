"""Lower statements and the expressions that are no calls: branches, loops, handlers, assignments, awaits."""

import re
from dataclasses import replace

from tree_sitter import Node

from flakehunter.scan import context, expectation, idioms
from flakehunter.scan.calls import _TIMEBOX, Calls
from flakehunter.scan.events import (
    Alive,
    Aside,
    Branch,
    Call,
    Event,
    Expect,
    Flow,
    Kind,
    Loop,
    Step,
    Store,
    events,
    walk,
)
from flakehunter.scan.flows import with_limit
from flakehunter.scan.kinds import ASSIGNMENTS, CALLS, CASES
from flakehunter.scan.syntax import child, member, names_in, path, text
from flakehunter.scan.walking import _line

_READS = re.compile(
    r"stdout|readline|read_text|readFile|ReadFile|ReadAll|File\.read|read_to_string|\.read\b|\bread\(|gets\b|recv|Scan|[oO]utput|"
    r"execSync|\bcat\s|children\(|pgrep|lines\b|trim|Trim|strip|chomp|getInputStream|readLine|file_get_contents|fscanf|match\("
)
_MESSAGE = re.compile(r"\bonce\([^()]*,\s*['\"]message['\"]\)\)?\)?\s*\[0\]")
"""What a child sent: the answer to `await once(worker, 'message')`."""
_FILES = re.compile(
    r"read_text|readFile|ReadFile|File\.read|IO\.read|\bopen\(|fs\.read|read_to_string|file_get_contents|Files\.read|ReadAllText|fopen|fscanf|ifstream|"
    r"\.readText|read_bytes|slurp|\bcat\s"
)
_PARSES = re.compile(
    r"\bint\(|Number\(|parseInt|Atoi|ParseInt|\.to_i\b|toInt|parse::|\.parse\(|strtol|\batoi|toLong|Integer\(|intval|Parse\(|parseLong|"
    r"\(int\)|from_str"
)
_HANDLE = re.compile(
    r"FindProcess\(|GetProcessById\(|psutil\.Process\(\w|ProcessHandle\.of\(|Pid::from_raw\(|OpenProcess\(|pidfd_open\("
)
_OF_ANOTHER = re.compile(
    r"^(?:await\s+)?[\w.:]*(?:find|wait_?for|child|descend|discover)\w*\((?:[^()]|\(\))*(?:\.pid\b|\.Pid\b|\.id\(\)|\.Id\b)",
    re.IGNORECASE,
)
"""A function that is given a pid and answers another one's."""
_ASKED = CALLS | {"await", "await_expression"}
_MEMBER = re.compile(r"grand|descendant|orphan", re.IGNORECASE)
_EARLIER = re.compile(r"prev|old|last|stale|existing|former", re.IGNORECASE)
"""A pid that somebody left, and no child of ours."""
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_MEMBERS_OF = re.compile(r"\.(?:descendants|children)\(")
_TASKS = re.compile(r"(?:start_soon|create_task)\(\s*([\w.]+)\.(?:wait|communicate)\b")
_TIMER = re.compile(r"(?:time\.(?:NewTimer|After)\(|context\.WithTimeout\(\s*[^,]+,)\s*([^)]*\)?)")
"""How Go makes what a `select` takes as the end of its time."""
_SAYS = {"True": True, "true": True, "False": False, "false": False}
_OWN_PID = re.compile(r"\.pid\b|\.Pid\b|\bid\(\)|getpgid|\.Id\b|->pid|getPid|get_pid|\bpid\(\)")
_RETRY = re.compile(r"^\s*retry\b", re.MULTILINE)
_JUMPS = re.compile(
    r"\b(?:break|return|done|last|throw|raise|exit|next|panic|abort|_exit|execv?\w*|Exit|die|fail|Fatal\w*)\b"
)
_LEAVES = re.compile(r"\b(?:break|return|last)\b")
_CASE_OF_CHILD = re.compile(r"case\s+0\s*:")
_CASE_LEAVES = re.compile(r"\b(?:return|throw|raise|panic|die|_?exit)\b[^\n;]*;?\s*(?:break\s*;?)?[\s})]*$")
_COMPARED = re.compile(r"\(?\s*@\s*(===?|!==?|is not|is)\s*(nil|null|None|0|-1|undefined)\s*\)?")
_PARENT_SIDE = re.compile(r"\(?\s*\w+(?:\s*(?:>|!=)\s*0)?\s*\)?")
_CHILD_SIDE = re.compile(
    r"^\(?\s*(?:!\s*\w+|not \w+|\w*pid\w*\s*===?\s*0|0\s*===?\s*\w+|\w+\s*===?\s*0|\w+(?:\.|->)?is_child\(\)|\w+\.nil\?)\s*\)?:?$"  # noqa: E501
)


class Statements(Calls):
    """Lowers statements."""

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
            if expectation.fails(text(then)[:400]):
                self._took(node, source, out, fails_above=True)
            if _CHILD_SIDE.match(source) and any(isinstance(s, Store) and _forks(s) for s in out):
                # The child's side of a fork: another process, whose text may tell what it sets up.
                self.strings.append(text(then))
                marked = [i for i, s in enumerate(out) if isinstance(s, Store) and _forks(s)][-1]
                out[marked] = _with_script(out[marked], text(then))
                out.extend(self._flow_of(*rest))
                return
            forked = next((s for s in reversed(out) if isinstance(s, Store) and _forks(s)), None)
            if rest and forked is not None and _PARENT_SIDE.fullmatch(source) and forked.targets[0] in source:
                # The parent's side comes first, and the child's is what is left.
                script = " ".join(map(text, rest))
                self.strings.append(script)
                out[out.index(forked)] = _with_script(forked, script)
                out.extend(self._flow_of(then))
                return
            if self.look_names and self._looked(source):
                then_text, else_text = context.branches(node)
                if node.type.startswith("unless"):
                    then_text, else_text = else_text, then_text
                fails = (
                    "then-fails"
                    if expectation.fails(then_text)
                    else "else-fails"
                    if expectation.fails(else_text)
                    else ""
                )
                self._use(condition, fails, out)
        alternatives = [self._flow_of(then), self._flow_of(*rest)]
        jumps = (_ends_in_jump(then), any(_ends_in_jump(n) for n in rest))
        if any(alternatives):
            sides = (text(then), " ".join(map(text, rest))) if any(events(alternatives[0], Kind.SIGNAL)) else ()
            out.append(Branch(tuple(alternatives), jumps, tuple(expectation.fails(side) for side in sides)))

    def _match(self, node: Node, out: list[Step]) -> None:
        value = child(node, "value") or node.named_children[0]
        self._visit(value, out)
        body = child(node, "body") or node.named_children[-1]
        arms = [
            self._flow_of(child(arm, "value") or arm)
            for arm in body.named_children
            if "arm" in arm.type or "section" in arm.type
        ]
        if any(arms):
            out.append(
                Branch(
                    tuple(arms),
                    tuple(
                        bool(_LEAVES.search(text(a)))
                        for a in body.named_children
                        if "arm" in a.type or "section" in a.type
                    ),
                )
            )

    def _switch(self, node: Node, out: list[Step]) -> None:
        """Lower a choice of which one case is taken; `case 0` of a fork is the child's own code."""
        parts = [n for n in node.named_children if n.type != "comment"]
        body = parts[-1] if parts and parts[-1].type not in CASES else None
        cases = [n for n in (body.named_children if body is not None else parts) if n.type in CASES]
        for part in parts:
            if part is not body and part not in cases:
                self._visit(part, out)
        forked = next((s for s in reversed(out) if isinstance(s, Store) and _forks(s)), None)
        asked = text(parts[0]) if parts else ""
        if forked is not None and not ("fork" in asked or forked.targets[0] in asked):
            forked = None
        alternatives = []
        for case in cases:
            if forked is not None and _CASE_OF_CHILD.match(text(case)):
                self.strings.append(text(case))
                out[out.index(forked)] = _with_script(forked, text(case))
                continue
            alternatives.append((self._flow_of(case), _CASE_LEAVES.search(text(case)) is not None))
        if any(flow for flow, _ in alternatives):
            flows, jumps = zip(*alternatives, strict=True)
            out.append(Branch((*flows, ()), (*jumps, False)))

    def _try(self, node: Node, out: list[Step]) -> None:
        handlers = [n for n in node.named_children if n.type.startswith(("except", "catch", "rescue"))]
        finals = [n for n in node.named_children if n.type.startswith(("finally", "ensure"))]
        resources = child(node, "resources")
        parts = [
            resources,
            *(n for n in node.named_children if n not in handlers and n not in finals and n != resources),
        ]
        if node.type == "try_expression" and not handlers and not finals:
            self._children(node, out)
            return
        body = self._flow_of(*parts)
        if self.spec.name == "ruby" and any(_RETRY.search(text(n)) for n in handlers):
            flow = (*body, *(step for n in handlers for step in self._flow_of(n)))
            out.append(Loop(_line(node), flow, True))  # until it does not raise
            return
        out.extend(self._answered(body, handlers))
        handled = tuple(self._flow_of(n) for n in handlers)
        if _only_signals(body):
            # The handler of a signal that was not delivered: what it looks at or uses is nobody's any more.
            handled = tuple(tuple(s for s in flow if _only_signals((s,))) for flow in handled)
        if any(handled):
            fails = (*(expectation.fails(text(n)) for n in handlers), False)
            out.append(Branch((*handled, ()), (*(_ends_in_jump(n) for n in handlers), False), fails))
        out.extend(self._flow_of(*finals))

    def _answered(self, body: Flow, handlers: list[Node]) -> Flow:
        """Store the answer of a look whose failure only sets a variable: `except ProcessLookupError: alive = False`."""
        found = re.search(r"\b(\w+)\s*=\s*(False|false|True|true)\b", " ".join(text(h) for h in handlers))
        if found is None or not any(
            s.alive is Alive.NO_ERROR and s.expect is Expect.VALUE for s in events(body, Kind.LOOK)
        ):
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
                opened = text(value.named_children[0])
                out.append(Store(_line(node), targets, inner, names_in(opened)))
                self.constants.update(dict.fromkeys(targets, opened))
                managed.extend(targets)
            else:
                self._visit(value, out)
        body = child(node, "body")
        first = next((n for n in node.named_children[0].named_children if n.type == "with_item"), None)
        box = _TIMEBOX.search(path(first.named_children[0])[:-2]) if first is not None else None
        inner_flow = self._flow_of(body)
        clause = text(node.named_children[0])
        if box or "fail_after" in clause or ".timeout(" in clause:
            inner_flow = with_limit(inner_flow, self._duration_s(clause))
        if "patch" in clause and "kill" in clause:
            inner_flow = tuple(s for s in inner_flow if not (isinstance(s, Event) and s.kind is Kind.SIGNAL))
        out.extend(inner_flow)
        if re.search(r"[nN]ursery|TaskGroup|task_group", clause):
            # The block ends when its tasks have ended.
            tasks = _TASKS.findall(text(body))
            out.extend(Event(Kind.WAIT, node.end_point[0] + 1, (name,), "tasks") for name in tasks)
        out.extend(Event(Kind.WAIT, node.end_point[0] + 1, (name,), "with", needs_known=True) for name in managed)

    def _goroutine(self, node: Node, out: list[Step]) -> None:
        body = self._flow_of(*node.named_children)
        waited = [name for e in events(body, Kind.WAIT) for name in e.names]
        waited += [name for e in events(body, Kind.SPAWN) if e.beside for name in e.names]
        out.append(Aside(body))
        if waited:
            signalled = re.findall(r"(\w[\w.]*)\s*<-|close\(([\w.]+)\)|([\w.]+)\.Done\(\)", text(node))
            targets = tuple(name for group in signalled for name in group if name)
            out.append(Store(_line(node), targets, (), tuple(waited)))

    def _select(self, node: Node, out: list[Step]) -> None:
        source = text(node)
        limit = re.search(r"time\.After\(([^)]*\)?)", source)
        timers = [
            name
            for name in re.findall(r"<-(\w+)(?:\.C\b|\.Done\(\)|\s*:)", source)
            if limit is None and _TIMER.match(self.constants.get(name, ""))
        ]
        limit = limit or next((m for name in timers if (m := _TIMER.match(self.constants[name]))), None)
        alternatives, jumps = [], []
        for case in node.named_children:
            communication = child(case, "communication")
            received = text(communication)
            timed = any(re.search(rf"<-{name}\b", received) for name in timers)
            if communication is not None and "time.After" not in received and "<-" in received and not timed:
                names = names_in(received.split("<-", 1)[1])
                fails = is_escalating(node)
                out.append(
                    Event(
                        Kind.WAIT,
                        _line(case),
                        names,
                        received,
                        timeout_s=self._duration_s(limit[1]) if limit else None,
                        tolerant=fails,
                        needs_known=True,
                    )
                )
            flow = self._flow_of(*(n for n in case.named_children if n != communication))
            alternatives.append(flow)
            jumps.append(bool(_JUMPS.search(text(case))))
        if any(alternatives):
            out.append(Branch(tuple(alternatives), tuple(jumps)))

    def _assignment(self, node: Node, out: list[Step]) -> None:
        left = child(node, "left", "name", "pattern", "declarator")
        right = child(node, "right", "value")
        if right is None:
            others = [n for n in node.named_children if n != left]
            left = left if left is not None else (node.named_children[0] if node.named_child_count else None)
            others = [
                n
                for n in node.named_children
                if n != left and n.type not in ("type_annotation", "user_type", "modifiers")
            ]
            right = others[-1] if others else None
        if right is None or left is None:
            self._children(node, out)
            return
        targets = self._targets(left)
        while right.type == "assignment" or right.type == "assignment_expression":
            inner = child(right, "left")
            targets += self._targets(inner) if inner is not None else ()
            right = child(right, "right") or right.named_children[-1]
        only = right.named_children[0] if right.type == "expression_list" and right.named_child_count == 1 else right
        if only.type in self.spec.closures or only.type in ("function_expression",):
            return  # a helper of its own
        source = text(right) if right.end_byte - right.start_byte < 2000 else text(right)[:2000]
        value = self._flow_of(right)
        for target in targets:
            if len(source) < 400:
                self.constants[target] = source
        if any(events(value, Kind.LOOK)) or any(isinstance(s, Call) for s in walk(value)):
            self.look_names.update(targets)
        if self.spec.name in ("javascript", "typescript", "tsx") and right.type not in (
            "await_expression",
            "parenthesized_expression",
        ):
            # A promise of the exit, not a wait: the wait is where the variable is awaited.
            value = tuple(step for step in value if not (isinstance(step, Event) and step.kind is Kind.WAIT))
        pidlike = any("pid" in t.lower() for t in targets)
        pidlike = pidlike and not any(_EARLIER.match(t) for t in targets)
        read = bool(_PARSES.search(source)) or (pidlike and bool(_READS.search(source)))
        read = read and not any(_EARLIER.match(t) for t in targets)
        derived = read and not _OWN_PID.search(_QUOTED.sub("", source))
        members = _MEMBERS_OF.search(source)
        derived = derived or members is not None or _MESSAGE.search(source) is not None
        derived = derived or (
            (pidlike or any(_MEMBER.search(t) for t in targets))
            and bool(idioms.READING_PID.search(path(right).removesuffix("()").rpartition(".")[2]))
        )
        derived = derived or (pidlike and right.type in _ASKED and _OF_ANOTHER.search(source) is not None)
        names = names_in(source)
        if members is not None:
            names = names_in(source[: members.start()].rpartition(" in ")[2]) or names
        last = value[-1] if value and right.type in CALLS else None
        if isinstance(last, Event) and last.kind in (Kind.WAIT, Kind.LOOK) and last.names:
            names = last.names if last.kind is Kind.WAIT else ()
        value = tuple(_compared(step, source) for step in value)
        out.append(
            Store(
                _line(node),
                targets,
                value,
                names,
                derived=derived,
                from_file=derived and bool(_FILES.search(source)),
                members=members is not None,
                of_pid=_HANDLE.search(source) is not None,
                says=_SAYS.get(source),
            )
        )

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
        if inner is not None and inner.type in (
            "identifier",
            "member_expression",
            "attribute",
            "field_expression",
            "field_access",
        ):
            out.append(Event(Kind.WAIT, _line(node), names_in(text(inner)), text(node), needs_known=True))
        elif inner is not None and path(inner) in (
            "Promise.all()",
            "Promise.allSettled()",
            "asyncio.gather()",
            "Task.WhenAll()",
        ):
            self._children(node, out)
            out.append(
                Event(Kind.WAIT, _line(node), names_in(text(child(inner, "arguments"))), text(node), needs_known=True)
            )
        elif inner is not None and path(inner) in ("Promise.race()", "Task.WhenAny()"):
            # What is waited for is known, how long only the timer beside it says.
            raced = self._flow_of(*node.named_children)
            out.extend(s for s in raced if not (isinstance(s, Event) and s.kind in (Kind.WAIT, Kind.SLEEP)))
            timers = [text(node), *(self.constants.get(name, "") for name in names_in(text(child(inner, "arguments"))))]
            found = [
                re.search(
                    r"(?:setTimeout\(.*?,|sleep\(|[dD]elay\(|timeout\w*\()\s*(\d[\d_]*|TimeSpan\.\w+\([\d._]+\))",
                    timer,
                    re.DOTALL,
                )
                for timer in timers
            ]
            limit = next((self._duration_s(m[1], 1e-3) for m in found if m), None)
            out.append(
                Event(
                    Kind.WAIT,
                    _line(node),
                    names_in(text(child(inner, "arguments"))),
                    text(node),
                    timeout_s=limit,
                    needs_known=True,
                    tolerant=context.is_tolerant(node, self.spec, escalates=True),
                    silent=path(inner) == "Task.WhenAny()",
                )
            )
        else:
            before = len(out)
            self._children(node, out)
            if not any(events(tuple(out[before:]), Kind.SLEEP, Kind.SIGNAL)):
                out.append(Event(Kind.AWAIT, _line(node)))

    def _property(self, node: Node, out: list[Step]) -> None:
        receiver, name = member(node)
        if receiver is not None and receiver.child_count:
            self._visit(receiver, out)
        if text(name) in self.helpers and idioms.looks(text(name)) and receiver is not None and not _called(node):
            expect = context.expected(
                node, Alive.FALSE if idioms.DEAD_NAME.search(text(name)) else Alive.TRUE, self.spec
            )
            dotted = f"{path(receiver)}.{text(name)}"
            out.append(Call(_line(node), text(name), dotted, names_in(text(receiver)), (), expect, text(node)))
            return
        if not self.spec.properties or (
            node.parent is not None and node.parent.type in CALLS and child(node.parent, "function") == node
        ):
            return
        dotted = f"{path(receiver)}.{text(name)}"
        for idiom in self.spec.fitting(dotted, properties=True):
            source = text(receiver)
            expect = context.expected(node, idiom.alive, self.spec)
            if idiom.accepts(text(node)) and not _assigned(node):
                out.append(Event(idiom.kind, _line(name or node), names_in(source), text(node), alive=idiom.alive, expect=expect,  # noqa: E501
                                 counts_zombies=idiom.counts_zombies, needs_known=idiom.known))  # fmt: skip
                return


def _compared(step: Step, source: str) -> Step:
    """Return a look whose answer is stored as the outcome of a comparison: `alive := syscall.Kill(pid, 0) == nil`."""
    if not (isinstance(step, Event) and step.kind is Kind.LOOK and step.expect is Expect.VALUE):
        return step
    found = _COMPARED.fullmatch(source.replace(step.text, "@", 1).strip())
    if found is None or step.alive not in (Alive.NO_ERROR, Alive.ZERO, Alive.NULL):
        return step
    if step.alive is Alive.NULL and found[2] in ("0", "-1"):
        return step
    same = found[1] in ("==", "===", "is") and found[2] != "-1"
    return replace(step, alive=Alive.TRUE if same or (found[1].startswith("!") and found[2] == "-1") else Alive.FALSE)


def _called(node: Node) -> bool:
    return node.parent is not None and node.parent.type in CALLS and child(node.parent, "arguments") != node


def _is_look(step: Step) -> bool:
    return isinstance(step, Event) and step.kind is Kind.LOOK


def _assigned(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type in ASSIGNMENTS and child(parent, "left") == node


def _forks(store: Store) -> bool:
    return any("fork" in e.text for e in events(store.value, Kind.SPAWN))


def _with_script(step: Step, script: str) -> Step:
    assert isinstance(step, Store)
    value = tuple(
        Event(e.kind, e.line, e.names, f"{e.text} {script}") if isinstance(e, Event) and e.kind is Kind.SPAWN else e
        for e in step.value
    )
    return Store(step.line, step.targets, value, step.names, step.derived, step.from_file)


def _only_signals(flow: Flow) -> bool:
    told = list(events(flow, *Kind))
    return all(e.kind is Kind.SIGNAL for e in told) and bool(told) and not any(isinstance(s, Call) for s in walk(flow))


def _ends_in_jump(node: Node | None) -> bool:
    if node is None:
        return False
    source = text(node).rstrip(" \t\r\n;})")
    last = source.rsplit("\n", 1)[-1].rsplit(";", 1)[-1]
    return bool(_JUMPS.search(last))


def is_escalating(node: Node) -> bool:
    """Whether a `select` answers its time-out with a stronger signal."""
    return any(
        "time.After" in text(child(c, "communication")) and context.KILL_WORDS.search(text(c)) is not None
        for c in node.named_children
    )
