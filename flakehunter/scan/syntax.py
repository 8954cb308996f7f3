"""What the lowering has to know of a grammar, and small readings of tree-sitter nodes that all languages share."""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from tree_sitter import Language, Node, Parser

from flakehunter.scan.idioms import Idiom
from flakehunter.scan.kinds import (
    CALLS,
    CLOSURES,
    FUNCTIONS,
    MEMBERS,
    NOISE,
    TRIES,
)


@dataclass(frozen=True)
class Spec:
    """A language: its grammar, what differs from the shared node names, and the idioms of its ecosystem."""

    name: str
    suffixes: tuple[str, ...]
    grammar: Callable[[], object]
    idioms: tuple[Idiom, ...]
    properties: tuple[Idiom, ...] = ()
    """Idioms that are reads of a property, not calls: `HasExited`, `exitCode`."""
    sleep_unit_s: float = 1.0
    wait_unit_s: float = 1.0
    auto_reaps: bool = False
    closures: frozenset[str] = CLOSURES
    functions: frozenset[str] = FUNCTIONS
    tries: frozenset[str] = TRIES
    prepare: Callable[[bytes], bytes] = bytes
    """Rewrites the source before it is parsed, without moving any line or byte."""
    imports: Callable[[str], tuple[str, ...]] = lambda _text: ()
    """Finds the paths, without suffix, of local modules that the source text imports."""
    same_folder: bool = False
    """Files of one folder see each other's functions (packages of Go, Java, Kotlin, C#)."""
    comments: tuple[bytes, ...] = (b"//",)
    lowering: Callable[["Spec", Container[str]], Any] | None = None
    """The class that lowers functions, where it is not `lowering.Lowering`."""

    @cached_property
    def by_path(self) -> dict[tuple[str, bool], tuple[Idiom, ...]]:
        """Idioms whose pattern fits a dotted path, filled as paths are met; the flag says properties."""
        return {}

    def fitting(self, dotted: str, *, properties: bool = False) -> tuple[Idiom, ...]:
        """Return the idioms that a call or a property with this dotted path may be."""
        found = self.by_path.get((dotted, properties))
        if found is None:
            idioms = self.properties if properties else self.idioms
            maybe = self.any_idiom[properties].search(dotted) is not None
            found = tuple(i for i in idioms if i.matches.search(dotted)) if maybe else ()
            self.by_path[(dotted, properties)] = found
        return found

    @cached_property
    def any_idiom(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """What the path of any idiom, and of any property, fits: most paths fit none, and need one look only."""
        either = [
            re.compile(rf"(?:^|(?<=[.\s(]))(?:{'|'.join(i.pattern for i in idioms) or '(?!)'})$")
            for idioms in (self.idioms, self.properties)
        ]
        return either[0], either[1]

    @cached_property
    def parser(self) -> Parser:
        """The parser of the grammar; one a process."""
        return Parser(Language(self.grammar()))


TEXT_BYTES = 8_000
"""Of longer nodes only both ends are read: what matters stands there, and bundles have calls of a megabyte."""


def text(node: Node | None) -> str:
    """Return the source of `node`, the middle of a very long one cut out; the empty string for None."""
    if node is None or (source := node.text) is None:
        return ""
    if len(source) > TEXT_BYTES:
        source = source[: TEXT_BYTES // 2] + b" " + source[-TEXT_BYTES // 2 :]
    return source.decode("utf-8", "replace")


def child(node: Node, *fields: str) -> Node | None:
    """Return the first child of `node` that one of `fields` names."""
    for name in fields:
        found = node.child_by_field_name(name)
        if found is not None:
            return found
    return None


def callee(node: Node) -> tuple[Node | None, Node | None]:
    """Split a call into (receiver, name) nodes; the receiver is None for a plain function."""
    function = child(node, "function", "constructor")
    if function is None and node.type in ("method_invocation", "member_call_expression", "call",
                                          "nullsafe_member_call_expression", "scoped_call_expression"):  # fmt: skip
        name = child(node, "name", "method")
        return child(node, "object", "receiver", "scope"), name
    if function is None:
        function = child(node, "type") or (node.named_children[0] if node.named_child_count else None)
        if function is not None and function.type == "call_expression" and node.type == "call_expression":
            return callee(function)  # Kotlin: `f(5) { … }` is a call of the call
    if function is not None and function.type in MEMBERS:
        return member(function)
    return None, function


def member(node: Node) -> tuple[Node | None, Node | None]:
    """Split `a.b` into the nodes of `a` and `b`; C#'s `this.b` and PHP's keep what they have."""
    named = node.named_children
    if not named:
        return None, node
    receiver = child(node, "object", "operand", "value", "argument", "expression", "path", "scope", "condition")
    name = child(node, "attribute", "property", "field", "name") or named[-1]
    if receiver is None and len(named) > 1:
        receiver = named[0]
    if receiver is None and node.children and node.children[0] != name and node.children[0].type != "::":
        receiver = node.children[0]
    if name.type == "member_binding_expression" and name.named_children:
        name = name.named_children[0]
    return receiver, name


def path(node: Node | None) -> str:
    """Return the dotted path of an expression; calls on the way are written `()`, anything else `?`."""
    if node is None:
        return ""
    if node.type in CALLS and node.type != "subshell":
        receiver, name = callee(node)
        start = f"{path(receiver)}." if receiver is not None else ""
        return f"{start}{path(name)}()"
    if node.type in MEMBERS:
        receiver, name = member(node)
        left, right = path(receiver), path(name) if name is not None and name.type in MEMBERS else text(name)
        return f"{left}.{right}" if left else right
    if node.type in ("await_expression", "await", "parenthesized_expression", "try_expression", "postfix_expression",
                     "non_null_expression", "unary_expression", "pointer_expression", "reference_expression",
                     "type_cast_expression", "cast_expression", "index_expression",
                     "subscript_expression", "subscript", "element_reference") and node.named_children:  # fmt: skip
        inner = child(node, "argument", "operand", "value", "object") or node.named_children[0]
        return path(inner)
    if node.child_count == 0 or node.type in ("variable_name", "generic_type", "user_type", "type_identifier",
                                              "simple_expansion", "expansion"):  # fmt: skip
        return text(node).lstrip("$").strip("`")
    if node.type == "generic_function":
        return path(child(node, "function"))
    if node.type == "generic_name":
        return path(node.named_children[0])
    return "?"


def arguments(node: Node) -> list[Node]:
    """Return the argument nodes of a call, with the wrapping of C#, Kotlin and PHP taken off."""
    holder = child(node, "arguments")
    if holder is None:
        holder = next((c for c in node.named_children if c.type in ("value_arguments", "argument_list")), None)
    if holder is None:
        # Kotlin: `f(5) { … }` is a call of the call.
        function = child(node, "function") or (node.named_children[0] if node.named_child_count else None)
        if node.type == "call_expression" and function is not None and function.type == "call_expression":
            return arguments(function)
        return []
    found = []
    for argument in holder.named_children:
        if argument.type in ("argument", "value_argument") and argument.named_child_count == 1:
            argument = argument.named_children[0]
        if argument.type != "comment":
            found.append(argument)
    return found


_CHAIN = re.compile(r"(?:@{1,2}|\$)?[A-Za-z_]\w*(?:(?:\.|->|::|\?\.|!!\.|&\.)[A-Za-z_]\w*)*")
_TAIL = re.compile(
    r"(?:\.(?:pid|Pid|getPid|process|Process|id|Id|_process|inner|stdout|stderr|stdin|value|handle|Handle|SafeHandle|_handle|"
    r"toHandle|toLong|toInt|raw|Stdout|unwrap|clone|name|exitcode|returncode|hProcess|dwProcessId|processId|child_pid))+$"
)
_UPPER_PROCESS = re.compile(
    r"(?!CREATE_|DETACHED_|EXIT_|MAX_|NUM_|NO_)[A-Z_]*(?:PROC|PROCESS|PID|SERVER|CHILD|WORKER|DAEMON)S?(?:_?\d)?"
)
"""Constants are no processes, but a global variable that holds one may be written as they are."""
_LITERAL = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'")
_INSERTS = re.compile(r"[#$]?\{([^{}]*)\}|\$(\w+)")


def names_in(source: str) -> tuple[str, ...]:
    """Return the variables that `source` may mean a process by, `.pid` and the like cut off, in order.

    `os.kill(self.proc.pid, signal.SIGTERM)` gives `("self.proc",)`: words of libraries are left out. Strings only
    count for what they interpolate.
    """
    inserted = [a or b for quoted in _LITERAL.findall(source) for a, b in _INSERTS.findall(quoted)]
    if "`" in source:
        inserted += [a or b for a, b in _INSERTS.findall(source)]
    bare = _LITERAL.sub(" ", source)
    found: dict[str, None] = {}
    for chain in _CHAIN.findall(" ".join([*inserted, bare])):
        name = normal(chain)
        # `self` alone is no process, but `self.pid` is what the object holds.
        if (
            name
            and (name not in NOISE or (chain != name and name in ("self", "this")))
            and (not name.isupper() or _UPPER_PROCESS.fullmatch(name) is not None)
            and not name.startswith(("SIG", "signal.", "syscall."))
        ):
            found.setdefault(name)
    return tuple(found)


_ARROWS = re.compile(r"->|::|\?\.|!!\.|&\.")
_LIBRARY = re.compile(r"^(?:os|subprocess|psutil|int|str|syscall|unix|Pid|Process|ProcessHandle)\.")


@lru_cache(maxsize=50_000)
def normal(chain: str) -> str:
    """Return the name a chain such as `self.proc.pid` or `cmd.Process.Pid` stands for."""
    if not chain.isidentifier():
        chain = _TAIL.sub("", _ARROWS.sub(".", chain).lstrip("$&*"))
    return _LIBRARY.sub("", chain) if "." in chain else chain


_DEFAULT = re.compile(r"(\w+)\s*\??\s*(?::[^,=()]+)?=\s*([^,()]+(?:\([^()]*\)[^,()]*)?)")


def defaults(node: Node) -> dict[str, str]:
    """Return the source of what the parameters of a function are when they are not given."""
    holder = _parameters_of(node)
    return {name: value.strip() for name, value in _DEFAULT.findall(text(holder)[1:-1])} if holder is not None else {}


def parameters(node: Node) -> tuple[str, ...]:
    """Return the names of the parameters of a function or closure, in order."""
    holder = _parameters_of(node)
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
        names = (
            [text(n) for n in parameter.named_children if n.type == "identifier"]
            if parameter.type == "parameter_declaration" and child(parameter, "declarator") is None
            else []
        )
        found.extend(names or [source.lstrip("$")])
    return tuple(found)


def _parameters_of(node: Node) -> Node | None:
    holder = child(node, "parameters", "parameter")
    if holder is None:
        declarator = child(node, "declarator")
        while declarator is not None and declarator.type != "function_declarator":
            declarator = child(declarator, "declarator")
        holder = child(declarator, "parameters") if declarator is not None else None
    if holder is None:
        holder = next(
            (n for n in node.named_children if n.type in ("function_value_parameters", "lambda_parameters")), None
        )
    return holder
