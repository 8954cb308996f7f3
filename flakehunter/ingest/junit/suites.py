"""Suites and the rows of their tests, which are worked out once for all files of an ingest."""

import re
from xml.etree.ElementTree import Element

from flakehunter.db.rows import CaseRow
from flakehunter.ingest import identity
from flakehunter.ingest.junit.values import count
from flakehunter.ingest.text import stored_name


class Suite:
    """What is known of a suite while its cases are read."""

    __slots__ = ("attributes", "level", "name", "open_child", "seen")

    def __init__(self, attributes: dict[str, str], name: str, seen: dict[tuple[str, str], int], level: int) -> None:
        self.attributes, self.name, self.seen, self.level = attributes, name, seen, level
        self.open_child: tuple[Element, Suite] | None = None


Rows = dict[tuple[str, str], CaseRow]
"""Rows by the class name and name that a file gives."""


class Memory:
    """What has been worked out for the tests of earlier files: the same ones come in every run of a history.

    Ingest gives one to all its readers. What the first file says of a test's file and line stays, as it does in the
    database.
    """

    LIMIT = 50_000

    def __init__(self) -> None:
        self._suites: dict[tuple[str, str, str], tuple[Rows, Rows]] = {}

    def of_suite(self, framework: str, suite: Suite) -> tuple[Rows, Rows]:
        """Return a suite's rows: those stored under the names as they were written, and the others."""
        key = (framework, suite.name, suite.attributes.get("file", ""))
        found = self._suites.get(key)
        if found is None:
            if len(self._suites) > self.LIMIT // 100:
                self._suites.clear()
            found = self._suites[key] = ({}, {})
        elif len(found[0]) + len(found[1]) > self.LIMIT:
            found[0].clear()
            found[1].clear()
        return found


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
