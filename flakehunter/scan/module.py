"""One source file: its functions and tests, lowered when they are asked for, and the local modules it imports."""

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from tree_sitter import Language, Node, Query, QueryCursor

from flakehunter.scan import languages
from flakehunter.scan.events import Call, Event, Flow, Function, Kind, Loop, Store, events, walk
from flakehunter.scan.hooks import is_hook, scope_of, scopes_around, starts_and_pauses
from flakehunter.scan.idioms import ADDING
from flakehunter.scan.kinds import ASSIGNMENTS
from flakehunter.scan.lowering import Lowering
from flakehunter.scan.naming import call_of, class_of, is_unit, name_of, test_title
from flakehunter.scan.processes import ANSWERS, BACKGROUND, HANDLERS, LEAVES_GROUP, REAPS, announces_early
from flakehunter.scan.syntax import Spec
from flakehunter.scan.words import (
    ENDS,
    HELPS,
    PLAIN,
    SET_UP,
    STARTS,
    WORDS,
    calls_of,
    looks_at,
    offsets,
    pauses_and_asks,
    waits_after,
)

MAX_HELPER_BYTES = 2_000_000
MAX_SIBLINGS = 300
MAX_SET_UP_BYTES = 20_000
_CONSTANT = re.compile(
    r"^(?:(?:export|const|let|var|static|final|private|public|pub|val|String|char|string|readonly|auto|constexpr|std::string|my|local)\s+)*"
    r"[*$&]?(\w+)(?:\[\])?\s*(?::\s*[&'\w\s]+)?=\s*(?:\w+[.(]+)*(?:[rRbfu]{0,2}\"{3}.*?\"{3}|'{3}.*?'{3}|`[^`]*`|r#+\".*?\"#+|<<[~-]?['\"]?(\w+).*?^\s*\2|"
    r"(?:\"(?:\\.|[^\"\\\n])*\"\s*(?:\n\s*)?\+?\s*)+|'(?:\\.|[^'\\\n])*'|\[[^\]\[]{1,400}\])",
    re.MULTILINE | re.DOTALL,
)
_NUMBER = re.compile(
    rb"^[ \t]*(?:(?:export|const|static|final|private|public|internal|protected|readonly|constexpr|pub|int|long|var|"
    rb"val|double|float|TimeSpan|Duration|auto|let|my)\b[ \t]*)*"
    rb"(_?[A-Z][A-Z\d_]{3,}|(?<=[ \t])\w*(?:Timeout|Deadline|Limit|Grace|Wait)\w*)(?:\s*:\s*[\w:<>]+)?[ \t]*="
    rb"[ \t]*((?:[\w.:]+\(\s*)?\d[\d_.]*[^\n;{}\"'=]{0,40}?)[ \t]*[,;]?[ \t]*(?:(?:#|//)[^\n]*)?$",
    re.MULTILINE,
)
"""A constant that is a number or a duration; other names than those in capitals are local to a function too often."""
_KEPT = re.compile(rb"\b(?:self|cls)\.\w+\s*=(?!=)|\bglobal\b|\bnonlocal\b")
"""How a Python function keeps something for other functions."""
_FILLED = re.compile(rb"\b(\w+)(?:\[[^\]\n]*\]\s*=(?!=)|\.append\()")
"""How a Python function keeps something in a dictionary or list of its module."""
_LENT = re.compile(rb"(?:let!?|subject!?)[( ]\s*:(\w+)")
"""RSpec's way to name what a block makes."""
_DEFINITION = re.compile(
    rb"\bfunc\s+(?:\([^)\n]*\)\s*)?(\w+)|\bfun\s+(?:<[^>\n]*>\s*)?(?:[\w.]+\.)?(\w+)\s*\(|\bfunction\s+(\w+)\s*\(|"
    rb"^[ \t]*(?:(?:public|private|protected|internal|static|final|async|synchronized|override|sealed|virtual)\s+)+[\w<>\[\],.? ]+?\s+(\w+)\s*\(",  # noqa: E501
    re.MULTILINE,
)


@lru_cache(maxsize=16_384)
def _is_file(path: str) -> bool:
    """Whether there is a file at `path`: many files of a project import the same."""
    return os.path.isfile(path)  # noqa: PTH113 - called for every import of large trees


@lru_cache(maxsize=64)
def _query(spec_name: str) -> Query:
    spec = languages.all_specs()[spec_name]
    language = Language(spec.grammar())
    kinds = sorted(spec.functions | spec.closures)
    known = [kind for kind in kinds if language.id_for_node_kind(kind, True)]
    return Query(language, " ".join(f"({kind}) @function" for kind in known))


class Module:
    """A parsed file; `units()` are what the rules judge, `find()` looks helpers up."""

    def __init__(self, file: Path, spec: Spec, source: bytes) -> None:
        self.file = file
        self.spec = spec
        self.source = source
        self.tree = spec.parser.parse(spec.prepare(source))
        self._lowered: dict[int, Function] = {}
        self._named: dict[str, Node] | None = None
        self._nodes: list[Node] = []
        self._imports: list[Path] | None = None
        self._folders: list[str] | None = None
        self._spawned: dict[str, str] | None = None
        self._tainted: set[str] | None = None
        self._constants: dict[str, str] | None = None
        self._numbers: dict[str, str] | None = None
        self._offsets: tuple[list[int], list[int]] | None = None
        self._helpers: set[str] | None = None
        self._found: dict[str, Function | None] = {}
        self._words: list[int] | None = None
        self._reaps: bool | None = None

    @property
    def has_errors(self) -> bool:
        """Whether a part of the file could not be parsed."""
        return self.tree.root_node.has_error

    def functions(self) -> dict[str, Node]:
        """Return every named function of the file; of several with one name, the first."""
        if self._named is None:
            captured = QueryCursor(_query(self.spec.name)).captures(self.tree.root_node).get("function", [])
            self._nodes = sorted(captured, key=lambda node: node.start_byte)
            self._named = {}
            for node in self._nodes:
                name = name_of(node, self.spec)
                if name and node.type in self.spec.functions:
                    self._named.setdefault(name, node)
                    if name in ("__init__", "constructor", "__construct"):
                        self._named.setdefault(class_of(node), node)
                elif name and node.parent is not None and node.parent.type in ASSIGNMENTS | {"expression_list"}:
                    self._named.setdefault(name, node)
        return self._named

    def units(self) -> Iterator[Function]:
        """Yield the functions and tests in which something may be signalled, lowered; the script itself last."""
        self.functions()
        ends, begins = self._marks()
        starts = ends + [start for start in begins if waits_after(self.source, start)]
        tainted = self._tainted_names()
        starts.sort()
        through_helpers = sorted(calls_of(self.source, tainted)) if tainted else []
        hooks = self._hooks()
        pausing = pauses_and_asks(self.source)
        for node in self._nodes:
            name = name_of(node, self.spec)
            if not name or (node.type in self.spec.closures and not is_unit(node)):
                continue
            around = scopes_around(node) if hooks else set()
            set_up = tuple(hook for scope, first, hook in hooks if scope in around and first != node.id)
            if set_up and not any(first == node.id for _, first, _ in hooks):
                yield replace(self.lower(node, name), hooks=set_up)
            elif (
                _holds(starts, node.start_byte, node.end_byte)
                or (
                    _holds(through_helpers, node.start_byte, node.end_byte)
                    and looks_at(self.source[node.start_byte : node.end_byte])
                )
                or (pausing and pauses_and_asks(self.source[node.start_byte : node.end_byte]))
            ):
                yield self.lower(node, name)
        if self.spec.name in ("python", "javascript", "typescript", "tsx", "ruby", "php", "bash"):
            yield self.lower(self.tree.root_node, "<script>")
        if self.spec.name == "cpp":
            for block in (n for n in self.tree.root_node.named_children if n.type == "compound_statement"):
                before = block.prev_named_sibling
                yield self.lower(
                    block,
                    test_title(before.named_children[0])
                    if before is not None and before.named_child_count
                    else "<block>",
                )

    def _hooks(self) -> list[tuple[int, int, Function]]:
        """Return the set-up that starts a process and pauses: what it belongs to, its node's id, its lowered form."""
        found: list[tuple[int, int, Function]] = []
        if not any(word in self.source for word in SET_UP) or not starts_and_pauses(self.source):
            return found
        for node in self._nodes:
            name = name_of(node, self.spec)
            if (
                name
                and node.end_byte - node.start_byte < MAX_SET_UP_BYTES
                and is_hook(node, name, call_of(node), self.source)
                and starts_and_pauses(self.source[node.start_byte : node.end_byte])
            ):
                found.append((scope_of(node), node.id, self.lower(node, name)))
        return found

    def _marks(self) -> tuple[list[int], list[int]]:
        """Return the sorted offsets of words that end processes, and of words that start them."""
        if self._offsets is None:
            self._offsets = (
                offsets(self.source, ENDS),
                offsets(self.source, STARTS),
            )
        return self._offsets

    def _tainted_names(self) -> set[str]:
        """Return the names of helpers, here and in imported modules, that start or signal something."""
        if self._tainted is None:
            self._tainted = self.own_tainted()
            for other in self.imported():
                self._tainted |= {n for n in other.own_tainted(plain=True) if n.encode() in self.source}
        return self._tainted

    def own_tainted(self, *, plain: bool = False) -> set[str]:
        """Return the names of this file's functions that start or signal something; `plain` for names such as `start` too."""  # noqa: E501
        return {
            name
            for name, node in self.functions().items()
            if len(name) > 3
            and (plain or name not in PLAIN)
            and not name.startswith(("__", "test"))
            and re.fullmatch(r"[\w?!]+", name)
            and any(_holds(marks, node.start_byte, node.end_byte) for marks in self._marks())
        }

    def lower(self, node: Node, name: str) -> Function:
        """Return the lowered form of a function node; kept for the next caller."""
        found = self._lowered.get(node.id)
        if found is None:
            lowering = (self.spec.lowering or Lowering)(self.spec, self._helper_names())
            lowering.matters, lowering.numbers = self._matters, self._all_numbers()
            found = lowering.function(node, name)
            source = node.text or b""
            constants = {name: value for name, value in self._all_constants().items() if name.encode() in source}
            scripts = [value for value in constants.values() if node.parent is not None] if constants else []
            scripts = [
                value
                for value in scripts
                if HANDLERS.search(value) or LEAVES_GROUP.search(value) or BACKGROUND.search(value)
            ]
            strings = "\n".join([found.strings, *scripts])
            found = replace(
                found,
                file=str(self.file),
                constants=constants,
                strings=strings,
                reaps=self._reaps_children(),
                announces_early=found.announces_early or any(map(announces_early, scripts)),
            )
            self._lowered[node.id] = found
        return found

    def _reaps_children(self) -> bool:
        """Whether anything in the file may reap a child."""
        if self._reaps is None:
            self._reaps = REAPS.search(self.source) is not None
        return self._reaps

    def _matters(self, begin: int, end: int) -> bool:
        """Whether the bytes from `begin` to `end` hold a word that may be about a process."""
        if self._words is None:
            self._words = offsets(self.source, WORDS)
        return _holds(self._words, begin, end)

    def _all_constants(self) -> dict[str, str]:
        """Return the constants of the file that are strings or lists of them: the scripts and commands it starts."""
        if self._constants is None:
            wanted = any(
                word in self.source
                for word in (
                    b"trap",
                    b"signal(",
                    b"signal.signal",
                    b"setsid",
                    b"sleep",
                    b"nohup",
                    b"on('SIG",
                    b"daemon",
                )
            )
            source = self.source.decode("utf-8", "replace") if wanted else ""
            self._constants = {m[1]: m[0] for m in _CONSTANT.finditer(source) if len(m[0]) < 5000}
        return self._constants

    def _all_numbers(self) -> dict[str, str]:
        """Return the constants of the file that are numbers or durations: limits, and how often something is tried."""
        if self._numbers is None:
            self._numbers = {
                found[1].decode(): found[2].decode("utf-8", "replace").strip()
                for found in _NUMBER.finditer(self.source)
            }
        return self._numbers

    # ---- helpers ----

    def find(self, name: str, function: Function | None = None) -> Function | None:
        """Return the helper called `name`, or the pytest fixture for `fixture:NAME`; None for what is not ours."""
        del function
        if name not in self._found:
            if name.startswith("fixture:"):
                self._found[name] = self._fixture(name.removeprefix("fixture:")) if self.spec.name == "python" else None
                return self._found[name]
            node = self.functions().get(name)
            found = self.lower(node, name) if node is not None else self._imported_function(name)
            self._found[name] = found if found is not None and _acts(found) else None
        return self._found[name]

    def _helper_names(self) -> set[str]:
        """Return the names of all functions that may be found: here, in imported modules, in the folder."""
        if self._helpers is None:
            self._helpers = set(self.functions())
            for other in self.imported():
                self._helpers |= other.functions().keys()
            if self.spec.same_folder:
                self._helpers |= _folder_index(str(self.file.parent), self.spec.suffixes).keys()
        return self._helpers

    def _fixture(self, name: str) -> Function | None:
        node = self.functions().get(name)
        if node is not None:
            found = self.lower(node, name)
            return found if found.is_fixture else None
        for folder in (self.file.parent, *list(self.file.parent.parents)[:4]):
            other = load(f"{folder}/conftest.py")
            if other is not None and name in other.functions():
                found = other.lower(other.functions()[name], name)
                return found if found.is_fixture else None
        return None

    def _imported_function(self, name: str) -> Function | None:
        if len(name) < 3:
            return None
        for other in self.imported():
            node = other.functions().get(name)
            if node is not None:
                return other.lower(node, name)
        if self.spec.same_folder:
            sibling = _folder_index(str(self.file.parent), self.spec.suffixes).get(name)
            if sibling is not None and sibling != str(self.file):
                beside = load(sibling)
                node = beside.functions().get(name) if beside is not None else None
                return beside.lower(node, name) if beside is not None and node is not None else None
        return None

    def imported(self) -> list["Module"]:
        """Return the local modules that this file imports, parsed."""
        if self._imports is None:
            self._imports = []
            for stem in self.spec.imports(self.source.decode("utf-8", "replace")):
                found = self._resolve(stem)
                if found is not None and found != self.file and found not in self._imports:
                    self._imports.append(found)
        return [module for file in self._imports[:20] if (module := load_helpers(str(file))) is not None]

    def _resolve(self, stem: str) -> Path | None:
        suffixes = [*self.spec.suffixes]
        if self.spec.name in ("javascript", "typescript", "tsx"):
            suffixes = [".ts", ".tsx", ".js", ".mjs", ".cjs", ".mts", "/index.ts", "/index.js"]
        if self.spec.name in ("c", "cpp"):
            suffixes = [".c", ".cc", ".cpp", ".h", ".hpp"]
        for folder in self._import_folders() if not stem.startswith(".") else [str(self.file.parent)]:
            for suffix in suffixes:
                candidate = f"{folder}/{stem}{suffix}"
                if _is_file(candidate):
                    return Path(candidate)
        return None

    def _import_folders(self) -> list[str]:
        """Return where absolute imports are looked for: beside the file, above it, and in src and lib."""
        if self._folders is None:
            above = list(self.file.parent.parents)[:3]
            inner = [folder / name for folder in above[:2] for name in ("src", "lib")]
            self._folders = [str(folder) for folder in (self.file.parent, *above, *inner)]
        return self._folders

    def spawned(self) -> dict[str, str]:
        """Return the names that any function of the file stores a started process in, with the source of the start."""
        if self._spawned is None:
            self._spawned = {}
            self.functions()
            _, begins = self._marks()
            for node in self._nodes:
                if not _holds(begins, node.start_byte, node.end_byte):
                    continue
                held: set[str] | None = None
                if self.spec.name == "python" and not _KEPT.search(self.source, node.start_byte, node.end_byte):
                    held = self._containers_filled(node)  # what else it starts stays its own
                    if not held:
                        continue
                name = name_of(node, self.spec)
                if not name or (node.type in self.spec.closures and not is_unit(node)):
                    continue
                lent = _LENT.match(self.source, call.start_byte) if (call := call_of(node)) is not None else None
                flow = self.lower(node, name).flow
                for step in walk(flow):
                    if isinstance(step, Call):
                        self._note_added(step, flow)
                    elif lent is not None and isinstance(step, Event) and step.kind is Kind.SPAWN:
                        self._spawned.setdefault(lent[1].decode(), step.text)
                    elif isinstance(step, Store) and (held is None or held.intersection(step.targets)):
                        self._note_start(step)
        return self._spawned

    def _note_added(self, step: Call, flow: Flow) -> None:
        """Note a list of the module into which a Python function puts what it starts."""
        assert self._spawned is not None
        if self.spec.name != "python" or step.name not in ADDING or not step.receiver or not step.args:
            return
        name = step.receiver[0]
        if name in self._spawned or re.search(rf"^{name}\s*(?::[^=\n]*)?=".encode(), self.source, re.MULTILINE) is None:
            return
        started = next((e.text for e in events(flow, Kind.SPAWN)), None)
        for call in (s for s in walk(flow) if isinstance(s, Call) and s is not step and s.text in step.text):
            helper = self.find(call.name) if started is None else None
            started = next((e.text for e in events(helper.flow, Kind.SPAWN)), None) if helper is not None else started
        if started is not None:
            self._spawned[name] = started

    def _containers_filled(self, node: Node) -> set[str]:
        """Return the dictionaries and lists of a Python module that a function puts something into."""
        filled = {name.decode() for name in _FILLED.findall(self.source, node.start_byte, node.end_byte)}
        return {name for name in filled if re.search(rf"^{name}\s*(?::[^=\n]*)?=".encode(), self.source, re.MULTILINE)}

    def _note_start(self, step: Store) -> None:
        assert self._spawned is not None
        started = next((e.text for e in events(step.value, Kind.SPAWN)), None)
        if started is None:
            for call in (s for s in walk(step.value) if isinstance(s, Call)):
                helper = self.find(call.name)
                started = next((e.text for e in events(helper.flow, Kind.SPAWN)), None) if helper is not None else None
                if started is not None:
                    break
        if started is not None:
            for target in step.targets:
                if target not in ANSWERS:
                    self._spawned.setdefault(target, started)


def _acts(function: Function) -> bool:
    """Whether a helper does anything that the rules know; one that does not is judged by its name."""
    return any(events(function.flow, *Kind)) or any(
        (isinstance(step, Loop) and step.polls)
        or (
            isinstance(step, Call)
            and re.search(r"[wW]ait|[kK]ill|[aA]live|[pP]oll|[sS]top|[tT]ermin|[sS]tart|[sS]pawn", step.name)
        )
        for step in walk(function.flow)
    )


def _holds(starts: list[int], begin: int, end: int) -> bool:
    index = bisect_left(starts, begin)
    return index < len(starts) and starts[index] < end


@lru_cache(maxsize=256)
def load(file: str) -> Module | None:
    """Return the parsed module at `file`; None where there is none, or it is too large."""
    location = Path(file)
    try:
        if not location.is_file() or location.stat().st_size > MAX_HELPER_BYTES:
            return None
        source = location.read_bytes()
    except OSError:
        return None
    spec = languages.of_file(location.name, source[:128])
    return Module(location, spec, source) if spec is not None else None


@lru_cache(maxsize=1024)
def load_helpers(file: str) -> Module | None:
    """Return the parsed module at `file` when it may hold helpers for processes."""
    try:
        location = Path(file)
        if location.stat().st_size > MAX_HELPER_BYTES:
            return None
        source = location.read_bytes()
    except OSError:
        return None
    return load(file) if any(word in source for word in HELPS) else None


@lru_cache(maxsize=64)
def _folder_index(folder: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Return function name → file for the files of one package folder."""
    found: dict[str, str] = {}
    files = sorted(f for f in Path(folder).iterdir() if f.suffix in suffixes)[:MAX_SIBLINGS]
    for file in files:
        try:
            source = file.read_bytes() if file.stat().st_size < MAX_HELPER_BYTES else b""
        except OSError:
            continue
        if not any(word in source for word in (b"kill", b"Kill", b"rocess", b"exec", b"pid", b"Pid")):
            continue
        for groups in _DEFINITION.findall(source):
            name = next((g for g in groups if g), b"").decode("utf-8", "replace")
            found.setdefault(name, str(file))
    return found
