"""bash and bats: background jobs, kill, wait, trap, ps, /proc; commands instead of calls."""

import re
from dataclasses import replace

import tree_sitter_bash
from tree_sitter import Node

from flakehunter.scan import expectation, idioms
from flakehunter.scan.durations import duration_s
from flakehunter.scan.events import (
    Alive,
    Branch,
    Call,
    Event,
    Expect,
    Flow,
    Function,
    Kind,
    Loop,
    Scope,
    Step,
    Store,
    Use,
    events,
    walk,
)
from flakehunter.scan.kinds import LOOPS
from flakehunter.scan.syntax import Spec, child, text

_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*|[!@?*\d])")
_BATS = re.compile(rb"^@test[ \t]+(\"[^\"\n]*\"|'[^'\n]*')[ \t]*\{", re.MULTILINE)
_QUIET = frozenset(["sudo", "command", "builtin", "env", "exec", "nohup", "setsid", "time", "stdbuf"])
_READY = re.compile(r"^(?:read|wait_for\w*|await\w*|wait_until\w*|mapfile|readarray|grep|inotifywait|head)$")
_LISTED = re.compile(r"^\s*for\s+\w+\s+in((?:\s+\d+)+)\s*(?:;|$)")
"""`for i in 1 2 3 4 5`."""
_COUNTED = re.compile(r"(?:\[{1,2}|\(\()\s*[\"$]*(\w+)[\"]?\s*(?:-g[te]|-eq|>=?|==)\s*(\d+)\s*(?:\]|\))")
"""A loop that counts its rounds itself."""
_ASKS_STATUS = re.compile(
    r"\bwait\b[^\n]*(?:\n[^\n]*){0,3}?(?:\$\?|\$\{?(?:status|rc|ret|code|exit_?code)\b)\}?[\"]?\s*"
    r"(?:-eq|-ne|==?|!=)\s*[\"]?0\b",
    re.IGNORECASE,
)
_BY_SIGNAL = re.compile(r"\b(?:129|130|137|143)\b")
_LOOKS_FOR = re.compile(r"\s*(?:!\s*)?(?:\[|test\b)")
_USES = re.compile(r"^(?:curl|wget|nc|ncat|psql|redis-cli|mysql)$")


def prepare(source: bytes) -> bytes:
    """Write bats tests, `@test "title" {`, as functions of the same length, which the grammar knows."""

    def function(found: re.Match[bytes]) -> bytes:
        title = re.sub(rb"\W", b"_", found[1][1:-1])[: len(found[0]) - 6]
        return (b"t_" + title + b"(){").ljust(len(found[0])) if len(title) + 5 <= len(found[0]) else found[0]

    return _BATS.sub(function, source)


def variables(source: str) -> tuple[str, ...]:
    """Return the variables that a word expands, `!` for the last background job; single quotes hide them."""
    bare = re.sub(r"'[^']*'", "", source)
    return tuple(dict.fromkeys(_VARIABLE.findall(bare)))


class BashLowering:
    """Lowers a script or a function of it to events."""

    def __init__(self, spec: Spec, helpers: object = ()) -> None:
        del helpers  # every command may be a function of the script
        self.spec = spec
        self.strings: list[str] = []
        self.constants: dict[str, str] = {}
        self.matters: object = None

    def function(self, node: Node, name: str, body: Node | None = None) -> Function:
        """Lower the function or script `node`."""
        out: list[Step] = []
        for inner in (child(node, "body") or node).named_children:
            self._visit(inner, out)
        asks = _ASKS_STATUS.search(text(node)) is not None and _BY_SIGNAL.search(text(node)) is None
        return Function(name, "bash", node.start_point[0] + 1, tuple(str(n) for n in range(1, 10)), tuple(out), "\n".join(self.strings),  # noqa: E501
                        asks_status=asks, asks_zero=asks, auto_reaps=True, end_line=node.end_point[0] + 1,
                        source=text(node) if any(events(tuple(out), Kind.SLEEP)) else "")  # fmt: skip

    def _flow(self, *nodes: Node | None) -> Flow:
        out: list[Step] = []
        for node in nodes:
            if node is not None:
                self._visit(node, out)
        return tuple(out)

    def _visit(self, node: Node, out: list[Step]) -> None:
        kind = node.type
        if kind == "function_definition" or kind == "comment":
            return
        if kind == "command":
            self._command(node, out)
        elif kind == "redirected_statement":
            self._redirected(node, out)
        elif kind == "variable_assignment":
            self._assignment(node, out)
        elif kind in LOOPS:
            self._loop(node, out)
        elif kind == "if_statement" or kind == "elif_clause":
            self._if(node, out)
        elif kind == "case_statement":
            items = [n for n in node.named_children if n.type == "case_item"]
            alternatives = tuple(self._flow(item) for item in items)
            if any(alternatives):
                out.append(Branch((*alternatives, ()), (*(_jumps(text(item)) for item in items), False)))
        elif kind == "list":
            self._list(node, out)
        elif kind in ("test_command", "negated_command") and self._test(node, out):
            return
        elif kind == "subshell" or kind == "compound_statement":
            flow = self._flow(*node.named_children)
            if _in_background(node):
                self._spawn(node, out)
            else:
                out.extend(flow)
        else:
            for inner in node.named_children:
                self._visit(inner, out)

    def _redirected(self, node: Node, out: list[Step]) -> None:
        body = child(node, "body") or node.named_children[0]
        target = " ".join(text(child(n, "destination") or n) for n in node.named_children if n != body)
        if "cgroup.procs" in target or re.search(r"cgroup\S*/tasks", target):
            tolerant = _or_else(node)
            out.append(Event(Kind.ASSIGN, _line(node), variables(text(body)), text(node), tolerant=tolerant))
            return
        if _in_background(node):
            self._spawn(node, out)
            return
        self._visit(body, out)
        if re.match(r"\s*read\b", text(body)):
            out.append(Event(Kind.READY, _line(node), (), text(node)))

    def _spawn(self, node: Node, out: list[Step]) -> None:
        self.strings.append(text(node))
        job = Event(Kind.SPAWN, _line(node), (), text(node))
        out.append(Store(_line(node), ("!",), (job,), ()))

    def _assignment(self, node: Node, out: list[Step]) -> None:
        name, value = text(child(node, "name")), child(node, "value")
        source = text(value)
        self.constants[name] = source
        inner = self._flow(value) if value is not None and value.type != "simple_expansion" else ()
        derived = bool(re.search(r"\$\(\s*(?:cat|<|head|pgrep|ps|jq|grep|sed|awk)|`", source)) and bool(
            re.search(r"pid|PID", name + source)
        )
        out.append(
            Store(
                _line(node),
                (name,),
                inner,
                variables(source),
                derived=derived,
                from_file=derived and bool(re.search(r"cat|<", source)) and not _written_here(node, source),
            )
        )

    def _loop(self, node: Node, out: list[Step]) -> None:
        condition = child(node, "condition")
        checked = self._flow(condition)
        body = self._flow(child(node, "body"))
        pauses = list(events(body, Kind.SLEEP))
        looks = [*events(body, Kind.LOOK), *(s for s in walk(body) if isinstance(s, Call) and _looks(s))]
        in_condition = any(events(checked, Kind.LOOK)) or any(isinstance(s, Call) and _looks(s) for s in walk(checked))
        leaves = bool(re.search(r"\b(?:break|return|exit 0)\b", text(node)))
        asked = bool(looks) or any(events(body, Kind.USE, Kind.BIND))
        polls = in_condition or (bool(pauses) and asked and leaves)
        names = variables(text(condition)) if pauses and (condition is not None or leaves) and not polls else ()
        first = text(node).split("\n")[0]
        count = re.search(r"seq\s+(?:1\s+)?(\d+)\s*[)`]|\{1\.\.(\d+)\}|<\s*(\d+)|-lt\s+(\d+)", first) or _counts(
            text(node)
        )
        deadline = None
        if (listed := _LISTED.search(first)) and pauses and pauses[0].timeout_s:
            deadline = len(listed[1].split()) * pauses[0].timeout_s
        elif count and pauses and pauses[0].timeout_s:
            deadline = int(next(g for g in count.groups() if g)) * pauses[0].timeout_s
        if node.type == "for_statement" and (variable := child(node, "variable")) is not None:
            over = " ".join(text(n) for n in node.named_children if n != variable and n.type != "do_group")
            body = (Store(_line(node), (text(variable),), (), variables(over)), *body)
        out.append(
            Loop(
                _line(node),
                (*checked, *body),
                polls,
                deadline,
                names or (("?",) if pauses and not polls and condition is not None else ()),
            )
        )

    def _if(self, node: Node, out: list[Step]) -> None:
        condition = child(node, "condition")
        rest = [n for n in node.named_children if n.type in ("elif_clause", "else_clause")]
        then = [n for n in node.named_children if n != condition and n not in rest]
        then_text, else_text = " ".join(map(text, then)), " ".join(map(text, rest))
        if condition is not None:
            out.extend(self._judged(condition, then_text, else_text))
        alternatives = (self._flow(*then), self._flow(*rest))
        if any(alternatives):
            out.append(Branch(alternatives, (_jumps(then_text), bool(rest) and _jumps(else_text))))

    def _list(self, node: Node, out: list[Step]) -> None:
        """`a && b` is an `if`, `a || b` an `unless`."""
        left, right = node.named_children[0], node.named_children[-1]
        both = any(n.type == "&&" for n in node.children)
        then, otherwise = (text(right), "") if both else ("", text(right))
        if left.type == "list":
            self._visit(left, out)
        else:
            out.extend(self._judged(left, then, otherwise))
        flow = self._flow(right)
        if flow:
            out.append(Branch((flow, ()), (_jumps(text(right)), False)))

    def _judged(self, condition: Node, then: str, otherwise: str) -> Flow:
        """Lower a condition whose looks are judged by the branch that fails."""
        source = text(condition)
        negated = bool(re.match(r"\s*(?:\[{1,2}\s+)?!", source))
        fails = ""
        if expectation.FAILS.search(then):
            fails = "then-fails"
        elif expectation.FAILS.search(otherwise):
            fails = "else-fails"
        judged: list[Step] = []
        for step in self._flow(condition):
            if (isinstance(step, Event) and step.kind is Kind.LOOK) or (
                isinstance(step, Event) and step.kind is Kind.BIND and fails and _LOOKS_FOR.match(step.text)
            ):
                step = replace(step, expect=_judgement(_holds(negated), fails))
            elif isinstance(step, Call) and _looks(step):
                dead = bool(idioms.DEAD_NAME.search(step.name))
                step = replace(step, expect=_judgement(_holds(negated != dead), fails))
            elif isinstance(step, Use):
                step = replace(step, branch=fails)
            judged.append(step)
        return tuple(judged)

    def _test(self, node: Node, out: list[Step]) -> bool:
        """Lower `[ … ]` and `! …`; return whether that was all."""
        source = text(node)
        if node.type == "negated_command":
            flow = self._flow(*node.named_children)
            statement = node.parent is not None and node.parent.type in ("program", "compound_statement", "do_group")
            for step in flow:
                if statement and isinstance(step, Event | Call):
                    looks = step.kind is Kind.LOOK if isinstance(step, Event) else idioms.ALIVE_NAME.search(step.name)
                    step = replace(step, expect=Expect.DEAD) if looks else step
                out.append(step)
            return True
        if "/proc/" in source and re.search(r"-[deflr]\s", source):
            expect = Expect.VALUE
            if node.parent is not None and node.parent.type in ("program", "compound_statement"):
                expect = Expect.DEAD if "!" in source else Expect.ALIVE
            out.append(
                Event(
                    Kind.LOOK,
                    _line(node),
                    variables(source),
                    source,
                    alive=Alive.TRUE,
                    counts_zombies=True,
                    expect=expect,
                )
            )
            return True
        if re.search(r"\$\{?(?:status|\?|rc|ret|alive|code)\b|\$\?", source):
            marked = re.sub(r"\"?\$\{?(?:status|\?|rc|ret|alive|code)\}?\"?", "@", source)
            out.append(Use(_line(node), variables(source), marked, "assert"))
            return True
        if re.search(r"-[efsS]\s+\S*(?:pid|PID|lock|sock)", source):
            out.append(Event(Kind.BIND, _line(node), variables(source), source))
        return False

    def _command(self, node: Node, out: list[Step]) -> None:
        words = [
            text(n)
            for n in node.named_children
            if n.type not in ("variable_assignment", "file_redirect", "herestring_redirect")
        ]
        for inner in node.named_children:
            if inner.type in ("string", "command_substitution", "process_substitution", "concatenation"):
                self.strings.append(text(inner))
                out.extend(
                    self._flow(*[n for n in inner.named_children if n.type == "command_substitution"])
                    if inner.type != "command_substitution"
                    else self._flow(*inner.named_children)
                )
        if not words:
            return
        if _in_background(node):
            self._spawn(node, out)
            return
        stored = words[0] == "run" and len(words) > 1
        if stored:
            words = [w for w in words[1:] if w not in ("!", "--separate-stderr") or w == "kill"]
        limit = None
        while words and (words[0] in _QUIET or words[0] == "timeout"):
            if words[0] == "timeout":
                rest = [w for w in words[1:] if not w.startswith("-") or w in ("TERM", "KILL")]
                limit = duration_s(rest[0]) if rest else None
                words = words[1 + words[1:].index(rest[0]) + 1 :] if rest else []
            else:
                words = words[1:]
        if not words:
            return
        step = self._step(node, words, limit)
        if step is None:
            return
        if stored:
            out.append(Store(_line(node), ("status",), (step,), ()))
        else:
            out.append(step)
            if (isinstance(step, Event) and step.kind is Kind.LOOK) or (isinstance(step, Call) and _looks(step)):
                out.append(Store(_line(node), ("?",), (step,), ()))

    def _step(self, node: Node, words: list[str], limit: float | None) -> Step | None:
        name, rest, line = words[0].rsplit("/", 1)[-1], words[1:], _line(node)
        source, joined = text(node), " ".join(words[1:])
        names = variables(joined)
        if name == "kill" and re.search(r"\$\$(?:\s|$)", joined):
            return None  # it signals itself
        if name == "kill":
            if re.search(r"(?:^|\s)(?:-0|-s\s+0|-n\s+0)(?:\s|$)", joined):
                return Event(Kind.LOOK, line, names, source, alive=Alive.TRUE, counts_zombies=True, expect=Expect.VALUE)
            group = re.search(r"(?:^|\s)[\"']?-[\"']?(?:\$|[1-9]\d{2,})|--\s+[\"']?-", joined)
            return Event(
                Kind.SIGNAL,
                line,
                names or ("%1",),
                source,
                scope=Scope.GROUP if group else Scope.LEADER,
                signal=idioms.signal_name(" " + joined.split("$")[0]),
            )
        if name in ("pkill", "killall"):
            scope = Scope.TREE if re.search(r"-P\b|-g\b", joined) else Scope.OPAQUE
            return Event(Kind.SIGNAL, line, names, source, scope=scope, signal=idioms.signal_name(" " + joined))
        if name == "wait":
            return Event(Kind.WAIT, line, tuple(n for n in names), source, timeout_s=limit, tolerant=True)
        if name == "tail" and "--pid" in joined:
            return Event(Kind.WAIT, line, names, source, timeout_s=limit)
        if name in ("waitpid", "pwait"):
            return Event(Kind.WAIT, line, names, source, timeout_s=limit)
        if name == "sleep":
            return Event(Kind.SLEEP, line, (), source, timeout_s=duration_s(joined))
        if name in ("ps", "pgrep", "pidof") or (name == "test" and "/proc/" in joined):
            return Event(Kind.LOOK, line, names, source, alive=Alive.TRUE, counts_zombies=True)
        if name in (
            "trap",
            "echo",
            "printf",
            "local",
            "true",
            "false",
            ":",
            "set",
            "cd",
            "export",
            "cat",
            "mkdir",
            "source",
            ".",
        ):
            if name == "cat" and re.search(r"pid|PID", joined):
                return Event(Kind.USE, line, names, source)
            return None
        if name in ("rm", "unlink", "rmdir", "mv", "flock"):
            return Event(
                Kind.BIND,
                line,
                names,
                source,
                tolerant=bool(re.search(r"-\w*f", joined)) and ("r" not in joined.split(" ")[0] or _is_last(node)),
            )
        if _READY.match(name):
            return Event(Kind.READY, line, names, source)
        if _USES.match(name):
            return Event(Kind.USE, line, names, source)
        if name in ("assert_failure", "assert_success"):
            return Use(line, ("status",), "@ -ne 0" if name == "assert_failure" else "@ -eq 0", "assert")
        expect = Expect.DEAD if re.search(r"(?:not_?running|dead|gone|no_process)", name) else Expect.VALUE
        return Call(line, name, name, (), tuple(variables(word) for word in rest), expect, source[:400])


def _line(node: Node) -> int:
    return node.start_point[0] + 1


def _counts(loop: str) -> re.Match[str] | None:
    """Return where a loop leaves by a number of rounds that it counts itself: its groups hold that number."""
    for found in _COUNTED.finditer(loop):
        name, rounds = found.groups()
        grows = rf"\b{name}=\$\(\(|\b{name}\s*\+|\+\+{name}\b|\b{name}=\S*expr"
        if int(rounds) > 1 and re.search(grows, loop):
            return re.match(r"(\d+)", rounds)
    return None


def _holds(negated: bool) -> Expect:
    return Expect.DEAD if negated else Expect.ALIVE


def _judgement(holds: Expect, fails: str) -> Expect:
    """Return what is expected of a look, from what it found when its condition holds and the branch that fails."""
    if fails == "then-fails":
        return expectation.opposite(holds)
    return holds if fails else Expect.NEUTRAL


def _looks(call: Call) -> bool:
    return idioms.looks(call.name)


def _jumps(source: str) -> bool:
    return bool(re.search(r"\b(?:exit|return|break|continue|fail|die|fatal|abort|\w+_exit)\b", source))


def _or_else(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "list" and any(n.type == "||" for n in node.parent.children)


def _is_last(node: Node) -> bool:
    """Whether a script or function only ends after this command: it clears up, and nobody sees that it could not."""
    after = node.next_named_sibling
    while after is not None and (after.type == "comment" or text(after).startswith(("exit", "echo", "return", "popd"))):
        after = after.next_named_sibling
    if after is not None or node.parent is None:
        return False
    if node.parent.type == "function_definition":
        return not text(child(node.parent, "name")).startswith("teardown")  # bats fails the test with it
    return node.parent.type == "program" or _is_last(node.parent)


def _in_background(node: Node) -> bool:
    following = node.next_sibling
    if following is None and node.parent is not None and node.parent.type in ("redirected_statement", "pipeline"):
        following = node.parent.next_sibling
    return following is not None and following.type == "&"


def imports(source: str) -> tuple[str, ...]:
    """Return the files that `source` sources or loads, from beside it."""
    found = re.findall(
        r"""^\s*(?:source|\.|load)\s+["']?(?:\$\(dirname[^)]*\)+["']?/|\$\{?\w+\}?/|\./)?([\w./-]+)""",
        source,
        re.MULTILINE,
    )
    return tuple(re.sub(r"\.(?:sh|bash|bats)$", "", path) for path in found)


def _written_here(node: Node, source: str) -> bool:
    """Whether the script itself writes the pid into the file from which `source` reads it: `echo $! > "$FILE"`."""
    file = re.search(r"(?:cat|<)\s+[\"']?([^\s\"')]+)", source)
    if file is None:
        return False
    root = node
    while root.parent is not None:
        root = root.parent
    script = (root.text or b"").decode("utf-8", "replace")
    return re.search(rf"\$!\S*\s*>+\s*[\"']?{re.escape(file[1])}", script) is not None


SPEC = Spec(
    name="bash",
    suffixes=(".sh", ".bash", ".bats"),
    grammar=tree_sitter_bash.language,
    idioms=(),
    prepare=prepare,
    imports=imports,
    comments=(b"#",),
    lowering=BashLowering,
    auto_reaps=True,
)
