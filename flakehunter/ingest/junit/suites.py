"""Suites and the rows of their tests, which are worked out once for all files of an ingest."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from flakehunter.db.rows import CaseRow, Known
from flakehunter.ingest import identity
from flakehunter.ingest.junit.values import count
from flakehunter.ingest.text import stored_name


class Suite:
    """What is known of a suite while its cases are read."""

    __slots__ = ("attributes", "level", "name", "open_child", "seen")

    def __init__(self, attributes: dict[str, str], name: str, seen: dict[tuple[str, str], int], level: int) -> None:
        self.attributes, self.name, self.seen, self.level = attributes, name, seen, level
        self.open_child: tuple[Element, Suite] | None = None


Key = tuple[str, str]
"""Class name and name as a file gives them."""


class Rows:
    """The rows of one suite's tests: places of those stored under the names as they were written, and the others."""

    __slots__ = ("heads", "other", "plain")

    def __init__(self) -> None:
        self.plain: dict[Key, int] = {}
        self.heads: dict[str, int] = {}
        """Places by the text of a test case before its time."""
        self.other: dict[Key, CaseRow] = {}


class Memory:
    """What has been worked out for the tests of earlier files: the same ones come in every run of a history.

    Ingest gives one to all its readers. What the first file says of a test's file and line stays, as it does in the
    database.
    """

    LIMIT = 50_000
    FEW = 5_000
    """Enough for a file that is read in parts: one that is so large has each of its tests once, or much output."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit or self.LIMIT
        self._suites: dict[tuple[str, str, str], Rows] = {}
        self.known = Known()
        self.times: dict[str, float] = {}
        """Seconds by the text that they stand in, see `passes.cut_document`."""

    def of_suite(self, framework: str, suite: Suite) -> Rows:
        """Return a suite's rows; other ones than before where there were too many."""
        key = (framework, suite.name, suite.attributes.get("file", ""))
        found = self._suites.get(key)
        if found is None or len(found.plain) + len(found.other) > self._limit:
            if len(self._suites) > self._limit // 100 or len(self.known.rows) > 2 * self._limit:
                self._suites, self.known = {}, Known()
            found = self._suites[key] = Rows()
        return found

    def has_room(self, rows: Rows, tests: int) -> bool:
        """Whether so many more tests of a suite can be remembered."""
        return len(rows.plain) + len(rows.other) + tests <= self._limit

    def remember(self, rows: Rows, key: Key, row: CaseRow, case: Element) -> int | None:
        """Remember the row of a test; return its place where it is stored under the names as they are written."""
        if (row.classname, row.name) != key or (case.get("file") and not row.file):
            rows.other[key] = row
            return None
        place = rows.plain[key] = len(self.known.rows)
        self.known.rows.append(row)
        return place

    def add_heads(self, rows: Rows, heads: Sequence[str], cases: Sequence[Element]) -> None:
        """Remember by which text test cases begin, of those that are stored as they are written and just pass."""
        if len(rows.heads) > 2 * self._limit:
            # Something in the text is new each time, such as an id.
            rows.heads.clear()
        for head, case in zip(heads, cases, strict=True):
            place = rows.plain.get((case.get("classname", ""), case.get("name", "")))
            if place is not None and "status" not in case.attrib and "result" not in case.attrib:
                rows.heads[head] = place


def suite_name(attributes: dict[str, str], parent: Suite | None, outer: dict[str, str], limit: int) -> str:
    """Return the name of a suite with that of the suites around it; `limit` is the number of characters kept.

    `outer` holds the attributes of `<testsuites>`: Playwright, which has an `id` there, writes the name of the project
    where others have that of the host.
    """
    own = identity.stable_suite(attributes.get("name", "").strip())
    if "id" in outer and re.search(r"\.[cm]?[jt]sx?$", own):
        own = identity.playwright_suite(attributes.get("hostname", ""), own)
    above = parent.name if parent else ""
    # A suite named after a folder or configuration file of one machine says nothing of the test.
    keeps_above = above and not above.startswith(("/", "\\")) and above[1:3] not in (":\\", ":/")
    if not own:
        name = above
    elif not keeps_above or own.startswith(above):
        name = own
    else:
        name = f"{above} > {own}"
    return stored_name(name, limit)


def name_test(case: Element, suite: Suite, key: tuple[str, str], framework: str, limit: int) -> CaseRow:
    """Return the row of a test case; `limit` is the number of characters kept of a name."""
    classname, raw_name = key
    name = stored_name(identity.without_rerun_mark(raw_name), limit)
    classname = stored_name(classname, limit)
    file = identity.relative(case.get("file") or suite.attributes.get("file") or "")
    if not file:
        file = identity.file_of(framework, classname, name, suite.name)
    # pytest counts lines from 0; it writes them in its old family only.
    line = count(case.get("line")) + (1 if framework == "pytest" and case.get("line") else 0)
    return CaseRow(suite.name, classname, name, framework, stored_name(file, limit), line or None)
