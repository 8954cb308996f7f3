"""Set-up that a test runner calls before a test: which functions of a file are some, and for which tests they run."""

import re

from tree_sitter import Node

from flakehunter.scan.kinds import CALLS, CLOSURES, FUNCTIONS
from flakehunter.scan.syntax import path

NAMED = frozenset(
    ["setUp", "asyncSetUp", "setUpClass", "setup_method", "setup_class", "setup_module", "setup", "setup_file"]
)
"""Functions that unittest, pytest, PHPUnit and bats call by their name."""
_MARKED = re.compile(
    rb"@(?:org\.junit\.)?(?:jupiter\.api\.)?Before(?:Each|All|Class|Test|Method)?\b|"
    rb"\[(?:NUnit\.Framework\.)?(?:OneTime)?SetUp\b|\[(?:Test|Class)Initialize\b|autouse\s*=\s*True"
)
"""Annotations of JUnit, TestNG, kotlin.test, NUnit and MSTest, and pytest's fixtures for every test."""
_CALLED = re.compile(r"^(?:before|beforeEach|beforeAll|setup|suiteSetup|before_all|before_each)$")
"""Calls of Mocha, Jest, Vitest, RSpec and minitest that take the set-up as a closure."""
STARTS_AND_PAUSES = (
    re.compile(
        rb"Popen|[sS]pawn|\bv?fork|(?:\.|->)[sS]tart\(|proc_open|create_subprocess|CreateProcess|&\s*$", re.MULTILINE
    ),
    re.compile(rb"[sS]leep|[dD]elay|setTimeout"),
)
_CLASSES = re.compile(r"class|object_declaration|struct")


def is_hook(node: Node, name: str, call: Node | None, source: bytes) -> bool:
    """Whether the function or closure `node` of the file `source` is set-up; `call` takes the closure."""
    if call is not None and _CALLED.match(path(call)[:-2].rpartition(".")[2]):
        return True
    if node.type not in FUNCTIONS:
        return False
    if name in NAMED:
        return True
    above = node.parent if node.parent is not None and node.parent.type == "decorated_definition" else node
    head = source[above.start_byte : above.start_byte + 400].partition(b"{")[0]
    return _MARKED.search(head) is not None


def scope_of(node: Node) -> int:
    """Return the id of what set-up belongs to: its class, its `describe` block, or the file."""
    current, own_call = node.parent, True
    while current is not None and current.parent is not None:
        if own_call and current.type in CALLS:
            own_call = False  # `beforeEach(…)` itself
        elif _CLASSES.search(current.type) or current.type in CLOSURES or current.type in ("do_block", "block_node"):
            return current.id
        current = current.parent
    return current.id if current is not None else node.id


def scopes_around(node: Node) -> set[int]:
    """Return the ids of everything around a test whose set-up runs before it."""
    found: set[int] = set()
    current = node.parent
    while current is not None:
        found.add(current.id)
        current = current.parent
    return found


def starts_and_pauses(source: bytes) -> bool:
    """Whether the source of set-up starts a process and then only pauses: else its tests gain nothing by it."""
    return all(pattern.search(source) for pattern in STARTS_AND_PAUSES)
