"""What all parts of the lowering share: visiting nodes, the names they assign, what is asserted of stored answers."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping

from tree_sitter import Node

from flakehunter.scan import context, elapsed
from flakehunter.scan.durations import duration_s
from flakehunter.scan.events import (
    Event,
    Flow,
    Kind,
    Step,
    Use,
)
from flakehunter.scan.kinds import MEMBERS
from flakehunter.scan.syntax import Spec, normal, text

_CONSTANT = re.compile(r"(?<![\w.\"'])(?:(?:self|cls|this|Self|[A-Z]\w*)(?:\.|::))?([A-Za-z_]\w*)(?![\w(\"'])")
ASSERTED_BYTES = 300
"""A longer assertion is about more than how long something took."""
_OUTPUT = re.compile(
    r"(?<![\w.\"'])(@?[\w.]+?)(?:\.|->)_?(?:(?:std)?(?:out|err)|output|logs?|lines|buffer)(?:_?[tT]ext)?\b(?![.(]\w*(?:read|recv|on|next)|\()"
)
"""What a child has written until now, kept in a field."""
LARGE_BYTES = 100
"""Nodes up to this size are lowered whatever they say."""
_NAME = re.compile(r"(?<![\w.])@{0,2}[A-Za-z_][\w.]*(?!\w)")


class Walker(ABC):
    """Walks over a syntax tree and notes events in the order in which they happen."""

    def __init__(self, spec: Spec, helpers: Container[str] = ()) -> None:
        self.spec = spec
        self.helpers = helpers
        self.look_names: set[str] = set()
        self.constants: dict[str, str] = {}
        self.numbers: Mapping[str, str] = {}
        """Constants of the module that are numbers or durations, with their source."""
        self.strings: list[str] = []
        self.knows_zombies = False
        """The function asks for the state of the process: a zombie does not count as alive."""
        self.matters: Callable[[int, int], bool] = lambda _begin, _end: True
        """Whether the bytes from begin to end of the file hold a word that may be about a process."""

    def _duration_s(self, source: str, unit_s: float = 1.0) -> float | None:
        """Return the duration in seconds that `source` writes, with constants of the module put in."""
        return duration_s(self._numbered(source), unit_s)

    def _numbered(self, source: str) -> str:
        """Return `source` with the module's constants written out."""
        if not self.numbers:
            return source
        return _CONSTANT.sub(lambda found: self.numbers.get(found[1], found[0]), source)

    def _flow_of(self, *nodes: Node | None) -> Flow:
        out: list[Step] = []
        for node in nodes:
            if node is not None:
                self._visit(node, out)
        return tuple(out)

    @abstractmethod
    def _visit(self, node: Node, out: list[Step]) -> None:
        """Note what `node` does."""

    def _children(self, node: Node, out: list[Step]) -> None:
        for inner in node.named_children:
            self._visit(inner, out)

    def _targets(self, node: Node) -> tuple[str, ...]:
        if node.type in MEMBERS or node.child_count == 0 or node.type == "variable_name":
            return (normal(text(node)) or text(node),) if text(node) != "_" else ()
        found: list[str] = []
        for part in re.split(r"[,\s(){}\[\]:]+", re.sub(r"=[^,}]*", "", text(node))):
            name = part.strip("*&;").lstrip("$")
            if re.fullmatch(r"@{0,2}[A-Za-z_][\w.]*", name) and name not in (
                "_",
                "mut",
                "ref",
                "let",
                "var",
                "const",
                "Some",
                "Ok",
                "async",
                "Process",
            ):
                found.append(name)
        return tuple(found)

    def _looked(self, source: str) -> list[str]:
        """Return the variables with the answer of a look that `source` names, or calls a method of."""
        return sorted({n for chain in _NAME.findall(source) for n in _beginnings(chain) if n in self.look_names})

    def _took(self, node: Node, source: str, out: list[Step], *, fails_above: bool = False) -> None:
        """Note an assertion on how long something took."""
        limit = elapsed.at_most(source, fails_above=fails_above) if len(source) < ASSERTED_BYTES else None
        if limit is not None:
            limit_s = self._duration_s(limit, elapsed.unit_s(source, self.spec.name))
            out.append(Event(Kind.ELAPSED, _line(node), (), source, timeout_s=limit_s))

    def _use(self, node: Node, branch: str, out: list[Step]) -> None:
        if branch == "assert":
            asserted = re.sub(r"\s+", " ", text(context.chain_root(node)))
            self._took(node, asserted, out)
            written = _OUTPUT.search(asserted) if len(asserted) < ASSERTED_BYTES else None
            if written is not None:
                out.append(Event(Kind.EFFECT, _line(node), (written[1],), asserted))
        if not self.look_names or not branch:
            return
        root = context.chain_root(node) if branch == "assert" else node
        source = re.sub(r"\s+", " ", text(root))
        used = self._looked(source)
        if used:
            marked = re.sub(rf"(?<![\w.])(?:{'|'.join(map(re.escape, used))})(?!\w)", "@", source)
            out.append(Use(_line(node), tuple(used), marked, branch))


def _beginnings(chain: str) -> list[str]:
    """Return `a.b.c` and what it begins with: `a.b`, `a`."""
    parts = chain.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _line(node: Node) -> int:
    return node.start_point[0] + 1
