"""Where a node stands: what the code around a look, a wait or an assignment does with its answer."""

import re

from tree_sitter import Node

from flakehunter.scan import expectation, idioms
from flakehunter.scan.events import Alive, Expect
from flakehunter.scan.kinds import ASSIGNMENTS, CALLS, IFS, LOOPS, MEMBERS, STATEMENT_ENDS
from flakehunter.scan.syntax import Spec, child, parameters, path, text

KILL_WORDS = re.compile(r"[kK]ill|[tT]erminat|[dD]estroy|SIGKILL|[aA]bort")
_TOLERATES = re.compile(
    r"GetExitCode|HasExited|\.poll\(|WaitFor|exited|ACCESS_DENIED|ESRCH|ErrProcessDone|ProcessLookupError|NoSuchProcess|isAlive|"
    r"try_wait|already (?:gone|ended|exited|dead)|winerror|AccessDenied|ERROR_ACCESS"
)
_RETURNS = frozenset(["return_statement", "return_expression", "return", "yield", "yield_statement", "jump_expression"])
_STATEMENTS = frozenset(
    [
        "expression_statement",
        "block",
        "statement_block",
        "compound_statement",
        "statement_list",
        "body_statement",
        "block_body",
        "then",
        "do",
        "statements",
        "function_body",
        "declaration_list",
    ]
)
_RUBY_TRIES = frozenset({"begin", "body_statement", "block_body"})
_EITHER = frozenset(["boolean_operator", "binary_expression", "binary", "disjunction_expression"])
_SPACE = re.compile(r"\s+")
_BOOLEAN_BLOCK = re.compile(r"(?:^|\.)(?:assert(?:True|False)?|refute)\(\)$")
"""Assertions that take what they assert as a block: kotlin.test's, power_assert's."""


def _around(root: Node, look: Node) -> str:
    """Return the source of `root` with the look written as `@`."""
    source, part = root.text or b"", look.text or b""
    start = look.start_byte - root.start_byte
    marked = source[:start] + b"@" + source[start + len(part) :]
    return _SPACE.sub(" ", marked.decode("utf-8", "replace"))


def chain_root(node: Node) -> Node:
    """Return the outermost expression of the call chain that `node` begins: `expect(x).not.toBe(y)`."""
    while node.parent is not None and (
        node.parent.type in MEMBERS
        or node.parent.type
        in ("await_expression", "await", "try_expression", "navigation_expression", "infix_expression", "binary")
        or (node.parent.type in CALLS and child(node.parent, "arguments") != node)
    ):
        node = node.parent
    return node


def expected(node: Node, alive: Alive, spec: Spec) -> Expect:
    """Return what the code around the look `node` demands of it."""
    current, in_statement, crossed, stored = node, False, False, False
    while current.parent is not None:
        parent = current.parent
        kind = parent.type
        if kind in spec.functions:
            break
        if kind == "assert_statement":
            condition = parent.named_children[0]
            return (
                expectation.wants(f"assert {_around(condition, node)}", alive)
                if _within(node, condition)
                else Expect.VALUE
            )
        if kind in spec.tries:
            answer = _of_try(parent, current, node, alive)
            if answer is not None:
                return answer
        elif kind in ("with_statement", "using_statement") and in_statement:
            clause = text(parent.named_children[0])
            if expectation.THROWING.search(clause):
                return Expect.DEAD
        elif not in_statement:
            answer = _of_expression(parent, current, node, alive, crossed=crossed)
            stored = kind in ASSIGNMENTS and alive is Alive.NO_ERROR
            if answer is not None and not stored:
                return answer
            in_statement = in_statement or stored  # that it raises for the dead says more than what it answers
        if kind in CALLS and crossed and _BOOLEAN_BLOCK.search(path(parent)):
            return expectation.wants(_around(chain_root(parent), node).replace(" {", "("), alive)
        if (
            kind in CALLS
            and crossed
            and not expectation.THROWING.search(path(parent) + text(chain_root(parent))[-200:])
        ):
            break
        if kind in CALLS and crossed:
            root = chain_root(parent)
            return expectation.wants(_SPACE.sub(" ", text(root)), Alive.NO_ERROR)
        in_statement = in_statement or kind in _STATEMENTS
        crossed = crossed or kind in spec.closures
        current = parent
    if (
        alive is Alive.NO_ERROR
        and in_statement
        and not (crossed or stored)
        and spec.name in ("python", "ruby", "javascript", "typescript", "tsx")
    ):
        return Expect.ALIVE  # a look that raises for the dead, and nobody catches it
    return Expect.VALUE


def _within(node: Node, outer: Node) -> bool:
    return outer.start_byte <= node.start_byte and node.end_byte <= outer.end_byte


def _of_expression(parent: Node, current: Node, look: Node, alive: Alive, *, crossed: bool) -> Expect | None:
    """Judge one step upwards inside an expression; None to go on."""
    kind = parent.type
    if kind in IFS:
        condition = child(parent, "condition")
        if condition is not None and _within(look, condition):
            then, otherwise = branches(parent)
            if kind.startswith("unless"):
                then, otherwise = otherwise, then
            return expectation.of_branch(_around(condition, look), alive, then, otherwise)
        return None
    if kind in LOOPS:
        condition = child(parent, "condition")
        return _of_loop(kind, condition, look, alive) if condition is not None and _within(look, condition) else None
    if kind in ("match_expression", "when_expression", "switch_statement", "switch_expression", "case"):
        return _of_match(text(parent))
    if kind in ASSIGNMENTS or kind in _RETURNS:
        return Expect.VALUE
    if kind == "infix_expression" and "should" in text(parent):
        return expectation.wants(_around(parent, look), alive)
    if kind in _EITHER and (parent.type == "disjunction_expression" or text(child(parent, "operator")) in ("or", "||")):
        others = " ".join(text(n) for n in parent.named_children if not _within(look, n))
        if idioms.WAITS_CALL.search(others):
            return Expect.NEUTRAL  # or else it waits
    if kind in CALLS and not crossed:
        root = chain_root(parent)
        if expectation.ASSERTING.search(path(parent).removesuffix("()")) or re.search(
            r"[sS]hould|\.to\b|\.not_to", path(parent)
        ):
            return expectation.wants(_around(root, look), alive)
    return None


def _of_loop(kind: str, condition: Node, look: Node, alive: Alive) -> Expect:
    while_alive = expectation.of_branch(_around(condition, look), alive, "fail", "") is Expect.DEAD
    return Expect.OUTLASTED if while_alive != kind.startswith("until") else Expect.LOOP


def _of_match(source: str) -> Expect:
    fail = r"[^,;]*?(?:panic|[fF]ail|throw|unreachable|assert)"
    if re.search(rf"(?:\bNone\b|\bOk\(_?\w*\)|null|nil|true)\)?\s*(?:=>|->|:){fail}", source) and not re.search(
        r"Some\(\w*\)\)?\s*=>[^,;]*?(?:panic|fail|unreachable)", source
    ):
        return Expect.DEAD
    if expectation.fails(source):
        return Expect.ALIVE
    return Expect.NEUTRAL


def branches(node: Node) -> tuple[str, str]:
    """Return the source of the then-branch and of all else-branches of an `if`."""
    condition = child(node, "condition")
    then = child(node, "consequence", "body")
    rest = [
        n for n in node.named_children if n not in (condition, then, child(node, "initializer")) and n.type != "comment"
    ]
    if then is None and rest:
        then, rest = rest[0], rest[1:]
    return text(then), " ".join(text(n) for n in rest)


def _of_try(node: Node, part: Node, look: Node, alive: Alive) -> Expect | None:
    """Judge a look in the body of a `try`: who fails, the handler or what follows the look?"""
    body = child(node, "body") or node.named_children[0]
    if not (_within(look, body) or (node.type in _RUBY_TRIES and part.type not in ("rescue", "ensure", "else"))):
        return None
    handlers = [n for n in node.named_children if n.type.startswith(("except", "catch", "rescue"))]
    if not handlers or alive is not Alive.NO_ERROR:
        return None
    source = (node.text or b"")[look.end_byte - node.start_byte : handlers[0].start_byte - node.start_byte]
    after = source.decode("utf-8", "replace") + " ".join(
        text(n) for n in node.named_children if n.type == "else_clause" or n.type == "else"
    )
    handled = " ".join(_handler(n) for n in handlers)
    if expectation.fails(after):
        return Expect.DEAD
    if expectation.fails(handled):
        return Expect.DEAD if expectation.THROWING.search(handled) else Expect.ALIVE
    if re.search(r"expect|assert|should|ESRCH", handled) and "raise" not in handled:
        return Expect.DEAD
    following = node.next_named_sibling
    if following is not None and _GOES.search(handled) and expectation.fails(text(following)[:200]):
        return Expect.DEAD  # who is not gone comes to what follows
    return Expect.VALUE


_GOES = re.compile(r"\b(?:return|continue|break)\b")


def _handler(node: Node) -> str:
    """Return the source of what a handler does; Ruby's may be empty."""
    return text(child(node, "body") or (node.named_children[-1] if node.named_child_count else node))


_RAISES = re.compile(
    r"raises?\b|Raises|[tT]hrows|rejects|raise_error|toThrow|is_err\b|assertFailsWith|shouldThrow|_THROW\b"
)
_TEST_FAILS = re.compile(
    r"\b(?:pytest\.fail|self\.fail\w*|flunk|[tb]\.(?:Fatal|Error|Fail)\w*|Assert\.Fail|fail)\s*\(|\b(?:raise|throw)\b|"
    r"\bassert\s+(?:False|0)\b|\bflunk\b"
)
"""Calls by which a test fails."""
_OTHER_ERRORS = re.compile(
    r"KeyboardInterrupt|SystemExit|EINVAL|UNKNOWN_SIGNAL|INVALID_ARG|InvalidArg|Permission|ValueError|TypeError|EPERM|Argument|Time[oO]ut|Runtime|NotImplemented|AccessDenied"
)


def must_fail(node: Node, spec: Spec, *, gone: bool = False) -> bool:
    """Whether the call `node` stands inside an assertion that it fails: a wait that is to time out.

    With `gone`, only for an error that a process which is gone can be the reason of.
    """
    current = node
    while current.parent is not None and current.parent.type not in spec.functions:
        parent = current.parent
        around = ""
        if parent.type == "with_statement":
            around = text(parent.named_children[0])
        elif parent.type in CALLS:
            around = path(parent)
        if around and _RAISES.search(around) and not expectation.NOT_THROWING.search(around):
            return not gone or _OTHER_ERRORS.search(text(parent)[:400]) is None
        if parent.type in STATEMENT_ENDS:
            return False
        current = parent
    return False


def is_refused(node: Node, spec: Spec) -> bool:
    """Whether the call `node` is all that an assertion is given, which says that its arguments are refused."""
    current = node
    while current.parent is not None and current.parent.type not in spec.functions:
        parent = current.parent
        if parent.type in CALLS:
            asserts = _RAISES.search(path(parent)) and not expectation.NOT_THROWING.search(path(parent))
            return bool(asserts) and _OTHER_ERRORS.search(text(parent)[:400]) is not None
        if parent.type not in spec.closures | _STATEMENTS | {"arguments", "argument_list", "argument"}:
            return False
        if parent.named_child_count > 1 and parent.type in _STATEMENTS:
            return False
        current = parent
    return False


def is_dropped(node: Node, spec: Spec) -> bool:
    """Whether what the call `node` answers is thrown away, in a language that tells of failures by answers alone."""
    if spec.name not in ("go", "rust"):
        return False
    root = chain_root(node)
    while root.parent is not None and root.parent.type in ("block", "unsafe_block") and _ends(root, root.parent):
        root = root.parent  # what `unsafe { … }` answers
    parent = root.parent
    if parent is not None and parent.type == "expression_list":
        parent = parent.parent
    if parent is None:
        return False
    if parent.type in ("assignment_statement", "let_declaration"):
        return not text(child(parent, "left", "pattern")).strip("_, ")
    # Rust warns of an error that is thrown away, but not of the number that a function of C answers.
    dropped = spec.name == "go" or text(root).endswith(".ok()") or path(node).startswith("libc.")
    return parent.type == "expression_statement" and dropped


def settles(node: Node, spec: Spec) -> bool:
    """Whether a call settles the promise that is awaited around it: `await new Promise((ok) => child.on('exit', ok))`."""  # noqa: E501
    executor = node.parent
    while executor is not None and executor.type not in spec.closures:
        executor = executor.parent
    made = executor.parent.parent if executor is not None and executor.parent is not None else None
    if executor is None or made is None or path(made) != "Promise()" or made.parent is None:
        return False
    given = parameters(executor)
    return made.parent.type == "await_expression" and bool(given) and f"{given[0]}(" in text(node)


def _ends(node: Node, block: Node) -> bool:
    return block.named_child_count > 0 and block.named_children[-1] == node


_LEAVES = re.compile(r"\b(?:return|goto|break|exit\w*)\b")


def is_tolerant(node: Node, spec: Spec, *, escalates: bool) -> bool:
    """Whether a failure of the call `node` is handled.

    With `escalates`, handled means that a time-out leads to a stronger signal; else that the exit of the process
    is expected and passed over.
    """
    current, depth = node, 0
    while current.parent is not None and current.parent.type not in spec.functions and depth < 12:
        parent, depth = current.parent, depth + 1
        if parent.type in spec.tries:
            body = child(parent, "body") or parent.named_children[0]
            handlers = [n for n in parent.named_children if n.type.startswith(("except", "catch", "rescue"))]
            if handlers and (_within(node, body) or parent.type in _RUBY_TRIES):
                handled = " ".join(_handler(n) for n in handlers)
                if escalates and _TEST_FAILS.search(handled):
                    return False  # whatever it cleans up before
                if escalates and (KILL_WORDS.search(handled) or not expectation.fails(handled)):
                    return True
                if escalates:
                    return False
                if not expectation.fails(handled, printed=False) or _TOLERATES.search(" ".join(map(text, handlers))):
                    return True
        if parent.type in IFS or parent.type in ("communication_case", "select_statement", "match_expression"):
            then = " ".join(branches(parent)) if parent.type in IFS else text(parent)
            if not escalates and parent.type in IFS:
                then += text(child(parent, "condition"))
            if (KILL_WORDS if escalates else _TOLERATES).search(then):
                return True
            if not escalates and parent.type in IFS and _within(node, child(parent, "condition") or parent):
                handled = " ".join(branches(parent))
                return not (expectation.fails(handled, printed=False) or _LEAVES.search(handled))
        if parent.type in ("with_statement", "with_clause") and "suppress(" in text(parent.named_children[0]):
            return True
        current = parent
    return False
