"""Find the test case that a user means by what they typed."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from flakehunter.db.queries.projects import of_project
from flakehunter.db.schema import Project, TestCase
from flakehunter.errors import UnknownTestError
from flakehunter.model import TestIdentity

NEAR_NAMES = 5
"""How many ids an error shows of those that come closest."""

SHORTEST_KEY = 8
"""Hex digits of a key that are enough to mean a test, as with abbreviated commits."""


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test case as stored; `file` is empty and `line` None where the artifacts did not say."""

    __test__ = False  # the name makes pytest think that this is a test class

    id: int
    identity: TestIdentity
    framework: str
    file: str
    line: int | None


def list_tests(connection: Connection, *, project: str | None = None) -> list[TestRow]:
    """Return all test cases, of one project or of all, ordered by row id."""
    columns = select(
        TestCase.id,
        Project.name.label("project"),
        TestCase.suite,
        TestCase.classname,
        TestCase.name,
        TestCase.framework,
        TestCase.file,
        TestCase.line,
    )
    query = of_project(columns, TestCase, project).order_by(TestCase.id)
    return [
        TestRow(id_, TestIdentity(project_name, suite, classname, name), framework, file, line)
        for id_, project_name, suite, classname, name, framework, file, line in connection.execute(query)
    ]


def find_test(connection: Connection, text: str, *, project: str | None = None) -> TestRow:
    """Return the one test that `text` names.

    In this order: the id as shown in tables and JSON, the key in hex (or 8 digits and more of its start), a pytest
    node id, the bare name, a part of the id (upper and lower case are the same). The first kind that fits decides.

    Raises:
        UnknownTestError: nothing fits, or several tests fit equally well; `near` holds the closest ids.
    """
    wanted = text.strip()
    rows = list_tests(connection, project=project)
    for fits in _kinds(wanted):
        found = [row for row in rows if fits(row)]
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(wanted, found)
    raise _unknown(wanted, rows)


def _kinds(wanted: str) -> Iterable[Callable[[TestRow], bool]]:
    if not wanted:
        return
    yield lambda row: row.identity.label == wanted
    digits = wanted.lower()
    if SHORTEST_KEY <= len(digits) <= 32 and set(digits) <= set("0123456789abcdef"):
        yield lambda row: row.identity.key.hex().startswith(digits)
    node = _node_id(wanted)
    if node is not None:
        yield lambda row: _is_node(row, *node)
    yield lambda row: row.identity.name == wanted
    folded = wanted.casefold()
    yield lambda row: folded in row.identity.label.casefold()


def _node_id(text: str) -> tuple[str, str, str] | None:
    """Split a pytest node id into file, dotted class name and test name; parameters may hold `::` themselves."""
    head, bracket, parameters = text.partition("[")
    file, *parts = head.replace("\\", "/").split("::")
    if not file.endswith(".py") or not parts:
        return None
    module = file.removesuffix(".py").removeprefix("./").replace("/", ".")
    return file.removeprefix("./"), ".".join([module, *parts[:-1]]), parts[-1] + bracket + parameters


def _is_node(row: TestRow, file: str, classname: str, name: str) -> bool:
    if row.identity.name != name:
        return False
    known = row.identity.classname
    # pytest writes class names relative to its rootdir, users type node ids relative to where they stand.
    return known == classname or f".{known}".endswith(f".{classname}") or f".{classname}".endswith(f".{known}")


def _ambiguous(wanted: str, found: Sequence[TestRow]) -> UnknownTestError:
    labels = [row.identity.label for row in found]
    if len({row.identity.project for row in found}) > 1:
        return UnknownTestError(
            f"{wanted!r} fits tests of {len({row.identity.project for row in found})} projects",
            near=tuple(labels[:NEAR_NAMES]),
            hint="say which with --project: " + ", ".join(sorted({row.identity.project for row in found})),
        )
    # Two tests may show the same id (one's suite is the other's class name); then only the keys differ.
    shown = labels if len(set(labels)) == len(labels) else [row.identity.key.hex()[:12] for row in found]
    more = f" and {len(shown) - NEAR_NAMES} more" if len(shown) > NEAR_NAMES else ""
    return UnknownTestError(
        f"{wanted!r} fits {len(found)} tests",
        near=tuple(shown[:NEAR_NAMES]),
        hint="give one of: " + ", ".join(shown[:NEAR_NAMES]) + more,
    )


def _unknown(wanted: str, rows: Sequence[TestRow]) -> UnknownTestError:
    labels = {row.identity.label for row in rows}
    # A name alone is far from its whole id, so names are compared with names and ids with ids.
    by_name: dict[str, list[str]] = {}
    for row in rows:
        by_name.setdefault(row.identity.name, []).append(row.identity.label)
    last = wanted.rpartition("::")[2] or wanted
    near = difflib.get_close_matches(wanted, labels, n=NEAR_NAMES, cutoff=0.6)
    for name in difflib.get_close_matches(last, by_name, n=NEAR_NAMES, cutoff=0.6):
        near += [label for label in by_name[name] if label not in near]
    near = near[:NEAR_NAMES]
    hint = "did you mean " + " or ".join(near) + "?" if near else "flakehunter detect --all lists the tests"
    return UnknownTestError(f"no test is called {wanted!r}", near=tuple(near), hint=hint)
