"""What functions, closures and tests of a file are called."""

import re

from tree_sitter import Node

from flakehunter.scan.calls import TEST_CALLS
from flakehunter.scan.kinds import ASSIGNMENTS, CALLS, STRINGS
from flakehunter.scan.syntax import Spec, arguments, callee, child, path, text


def name_of(node: Node, spec: Spec) -> str:
    """Return the name of a function, of the variable a closure is assigned to, or the title of a test."""
    if node.type in spec.functions:
        named = child(node, "name")
        if named is None:
            declarator = child(node, "declarator")
            while (
                declarator is not None
                and child(declarator, "declarator") is not None
                and declarator.type != "function_declarator"
            ):
                declarator = child(declarator, "declarator")
            inner = child(declarator, "declarator") if declarator is not None else None
            title = text(inner)
            if re.match(r"TEST\w*$|TYPED_TEST\w*$", title) and declarator is not None:
                return ".".join(text(p) for p in (child(declarator, "parameters") or declarator).named_children)
            return title.rpartition("::")[2]
        return text(named).strip("`")
    parent = node.parent
    if parent is not None and parent.type in ASSIGNMENTS | {"pair", "public_field_definition", "field_definition"}:
        left = child(parent, "left", "name", "pattern", "declarator", "key", "property") or parent.named_children[0]
        return text(left).lstrip("$").rpartition(".")[2]
    if (
        parent is not None
        and parent.type == "expression_list"
        and parent.parent is not None
        and parent.parent.type in ASSIGNMENTS
    ):
        return text(child(parent.parent, "left"))
    call = call_of(node)
    return test_title(call) if call is not None else ""


def is_unit(node: Node) -> bool:
    """Whether a closure is judged by itself: a test, a hook, or a function that a variable holds."""
    parent = node.parent
    if parent is not None and parent.type in ASSIGNMENTS | {"pair", "public_field_definition", "field_definition"}:
        return True
    call = call_of(node)
    if call is None:
        return False
    name = callee(call)[1]
    return bool(TEST_CALLS.match(path(call)[:-2])) or (name is not None and name.type in STRINGS)


def class_of(node: Node) -> str:
    """Return the name of the class that a constructor belongs to."""
    parent = node.parent
    while parent is not None and not parent.type.startswith("class"):
        parent = parent.parent
    while parent is not None and child(parent, "name") is None:
        parent = parent.parent
    return text(child(parent, "name")) if parent is not None else ""


def call_of(node: Node) -> Node | None:
    """Return the call that a closure is an argument or the block of."""
    parent = node.parent
    for _ in range(4):
        if parent is None:
            return None
        if parent.type in CALLS:
            return parent
        if parent.type not in (
            "arguments",
            "argument_list",
            "value_arguments",
            "value_argument",
            "annotated_lambda",
            "argument",
            "parenthesized_expression",
        ):
            return None
        parent = parent.parent
    return None


def test_title(call: Node) -> str:
    """Return the title that a test call gives as its first string, else the name of the call: `beforeEach`."""
    if call.type not in CALLS:
        return "<block>"
    given = arguments(call)
    if given and given[0].type in STRINGS:
        return text(given[0]).strip("\"'`")
    _, name = callee(call)
    return text(name).strip("\"'")
