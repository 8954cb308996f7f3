"""Turn the syntax tree of a function into events and the control flow that orders them, for all languages but bash."""

import re

from tree_sitter import Node

from flakehunter.scan import idioms
from flakehunter.scan.events import (
    Aside,
    Branch,
    Call,
    Event,
    Expect,
    Flow,
    Function,
    Kind,
    Return,
    Scope,
    Step,
    events,
)
from flakehunter.scan.kinds import ASSIGNMENTS, CALLS, IFS, LEAVES, LOOPS, MEMBERS, STRINGS, SWITCHES
from flakehunter.scan.loops import Loops
from flakehunter.scan.processes import announces_early
from flakehunter.scan.statements import _READS
from flakehunter.scan.syntax import child, defaults, names_in, parameters, text
from flakehunter.scan.walking import LARGE_BYTES, _line

CONSTANT_BYTES = 600
"""Longer values are data."""
_ZOMBIE = re.compile(r"zombie|ZOMBIE|['\"]ZX?['\"]|defunct|['\"]X?Z['\"]")


_ASKS_STATUS = re.compile(
    rb"(?i:assert|expect|require|should)[^\n;]*(?:returncode|exit_?code|exitstatus|exit_status|exitvalue|status\.code|ExitCode|\.wait\(\))"
    rb"[^\n;]*(?<![-\w.])(?:0|129|130|143)(?![\w.])|(?:require|assert)\.NoError\([^\n;]*\.Wait\(\)|assert[!_]\([^\n;]*(?:wait\(\)|status)[^\n;]*\.success\(\)|"
    rb"assertEquals?\(\s*(?:0|129|130|143)\s*,[^\n;]*(?i:returncode|exit_?code|exitvalue|\.wait)"
)
_OTHER_THAN = re.compile(rb"!=|<|(?<![-=])>|\b[nN]ot|_ne\b|NE\(")
_BY_SIGNAL = re.compile(rb"(?<![\w.])(?:129|130|143)(?![\w.])")
"""What some runtimes call the end by a signal, and a handler may exit with."""
_ENDS_ALL = re.compile(r"KillOnJobClose|KILL_ON_JOB_CLOSE|KillOnClose")
"""A job that ends its processes when its last handle is closed."""
_BODIES = frozenset(["body_statement", "block_body", "then", "else", "do", "begin", "ensure", "rescue"])
_PAUSES = (b"leep", b"elay", b"imeout", b"ause", b"ark")
_ZOMBIE_WORDS = (b"ombie", b"OMBIE", b"efunct", b"'Z", b'"Z', b"X'", b'X"', b"Z'", b'Z"')


class Lowering(Loops):
    """Lowers one function; makes no judgement, only notes what happens in which order."""

    def function(self, node: Node, name: str, body: Node | None = None) -> Function:
        """Lower the function, closure or test body `node`."""
        body = (
            body
            or child(node, "body")
            or next((n for n in node.named_children if n.type == "function_body"), None)
            or node
        )
        is_expression = body.type not in ("block", "statement_block", "compound_statement", "body_statement", "do_block", "function_body",  # noqa: E501
                                          "block_body", "lambda_literal", "do")  # fmt: skip
        source = node.text or b""
        self.knows_zombies = (
            node.parent is not None
            and any(word in source for word in _ZOMBIE_WORDS)
            and _ZOMBIE.search(source.decode("utf-8", "replace")) is not None
        )
        flow = self._flow_of(*(body.named_children if body is node else (body,)))
        if is_expression and body is not node:
            flow = (*flow, Return(names_in(text(body))))
        elif self.spec.name in ("rust", "ruby") and body.named_child_count:
            last = body.named_children[-1]
            last = (
                last.named_children[-1]
                if last.type in ("body_statement", "block_body") and last.named_child_count
                else last
            )
            flow = (*flow, Return(names_in(text(last)) if last.end_byte - last.start_byte < 200 else ()))
        above = (
            text(node.parent.named_children[0])
            if node.parent is not None and node.parent.type == "decorated_definition"
            else ""
        )
        decorators = (
            "".join(text(n) for n in node.parent.named_children if n.type == "decorator")
            if above and node.parent
            else ""
        )
        asked = [found[0] for found in _ASKS_STATUS.finditer(source) if _OTHER_THAN.search(found[0]) is None]
        pauses = any(word in source for word in _PAUSES) and any(events(flow, Kind.SLEEP))
        return Function(
            name=name,
            language=self.spec.name,
            line=node.start_point[0] + 1,
            parameters=parameters(node),
            defaults=defaults(node),
            flow=flow,
            strings="\n".join(self.strings),
            is_fixture="fixture" in decorators or "contextmanager" in decorators,
            retries=bool(re.search(r"@\S*retr(?:y|ies)", decorators)),
            asks_status=bool(asked),
            asks_zero=any(_BY_SIGNAL.search(found) is None for found in asked),
            announces_early=any(map(announces_early, self.strings)),
            auto_reaps=self.spec.auto_reaps,
            end_line=node.end_point[0] + 1,
            source=source.decode("utf-8", "replace") if pauses else "",
        )

    def _visit(self, node: Node, out: list[Step]) -> None:
        kind = node.type
        if kind in LEAVES or kind in self.spec.functions:
            if kind == "identifier" and self.spec.name == "ruby":
                self._bare_call(node, out)
            return
        if (
            node.end_byte - node.start_byte > LARGE_BYTES
            and not self.matters(node.start_byte, node.end_byte)
            and not any(name.encode() in (node.text or b"") for name in self.look_names)
        ):
            self._note_constants(node)
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
        elif kind == "using_statement":
            self._children(node, out)
            if _ENDS_ALL.search(text(node)):
                end = node.end_point[0] + 1
                out.append(Event(Kind.SIGNAL, end, (), "closes the job", scope=Scope.TREE, signal="KILL"))
        elif kind == "assert_statement":
            self._children(node, out)
            self._use(node, "assert", out)
        elif kind in ("preproc_if", "preproc_ifdef") and (other := child(node, "alternative")) is not None:
            taken = self._flow_of(*(n for n in node.named_children if n != other))
            out.append(Branch((taken, self._flow_of(*other.named_children)), (False, False)))
        elif kind == "defer_statement":
            out.append(Aside(self._deferred(node), deferred=True, of_helper=True))
        elif kind == "go_statement":
            self._goroutine(node, out)
        elif kind in ("return_statement", "return_expression", "return", "jump_expression", "yield"):
            self._children(node, out)
            given = (
                re.sub(r"^\s*(?:return|yield)\b", "", text(node))
                if node.named_child_count and node.end_byte - node.start_byte < 500
                else ""
            )
            names = () if _READS.search(given) else names_in(given)
            out.append(Return(names, yields=kind == "yield"))
        elif kind == "list_comprehension" or kind == "generator_expression":
            self._comprehension(node, out)
        elif kind == "unary_expression" and text(node).startswith("<-"):
            out.append(
                Event(Kind.WAIT, _line(node), names_in(text(node)[2:]), text(node), timeout_s=None, needs_known=True)
            )
            self._children(node, out)
        elif kind == "await_expression" or kind == "await":
            self._await(node, out)
        elif kind in SWITCHES:
            self._switch(node, out)
        elif kind == "select_statement":
            self._select(node, out)
        elif kind == "switch_expression" or kind == "match_expression":
            self._match(node, out)
        else:
            if kind == "infix_expression" and "should" in text(node):
                self._use(node, "assert", out)
            self._children(node, out)

    def _deferred(self, node: Node) -> Flow:
        """Go's `defer func() { … }()` runs the closure's body, `defer f()` the call."""
        call = node.named_children[0] if node.named_child_count else node
        function = child(call, "function")
        if function is not None and function.type in self.spec.closures:
            return self._flow_of(child(function, "body"))
        return self._flow_of(*node.named_children)

    def _bare_call(self, node: Node, out: list[Step]) -> None:
        """Ruby: a helper without arguments that stands as a statement of its own looks like a variable."""
        name = text(node)
        if node.parent is not None and node.parent.type in _BODIES and (name in self.helpers or idioms.speaks(name)):
            out.append(Call(_line(node), name, name, (), (), Expect.VALUE, name))

    def _note_constants(self, node: Node) -> None:
        """Keep what a statement assigns that says nothing of a process itself: the arguments of a command."""
        for _ in range(4):
            if node.type in ASSIGNMENTS:
                left = child(node, "left", "name", "pattern", "declarator")
                left = left if left is not None else node.named_children[0]
                if node.end_byte - node.start_byte < CONSTANT_BYTES:
                    self.constants.update(dict.fromkeys(self._targets(left), text(node)))
                return
            if not node.named_child_count or node.end_byte - node.start_byte > CONSTANT_BYTES:
                return
            node = node.named_children[-1]


def _statement(node: Node) -> Node:
    while node.parent is not None and node.parent.type not in (
        "block",
        "statement_block",
        "compound_statement",
        "body_statement",
        "module",
        "program",
        "statement_list",
    ):
        node = node.parent
    return node
