"""Which tests of a log are tests that JUnit files of the same run have told of, under names that are not the same.

A JUnit file and the console of one runner seldom agree on names: RSpec has `child when killed is gone` in the one, and
`is gone` below `child when killed` in the other; PHPUnit `testChildIsGone` and `Child is gone`; TAP `2 - child is gone`
and `child is gone`. Results that count twice are worse than a result that is missing, so what is likely the same counts
as the same.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from flakehunter.db.rows import CaseRow

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")
_IDLE = frozenset({"test", "tests", "it", "data", "set"})
"""Words that one side adds."""


def match_tests(told: Sequence[CaseRow], known: Sequence[CaseRow]) -> list[CaseRow | None]:
    """Return for each test of a log the known test that it is, or itself where it is new, or None.

    None says that it is told of already, and nobody can say under which name: then most tests of the log are known
    ones, and it has no more of them than the JUnit files.
    """
    if not known:
        return list(told)
    exact = _Known(known)
    found = [exact.find(test) for test in told]
    matched = sum(row is not None for row in found)
    repeats = 2 * matched > len(told) and len(told) <= len(known)
    return [row if row is not None else None if repeats else test for row, test in zip(found, told, strict=True)]


class _Known:
    """The tests of JUnit files, by their names and by the words in them; each is found once."""

    def __init__(self, known: Sequence[CaseRow]) -> None:
        self._by_name: dict[str, list[CaseRow]] = defaultdict(list)
        self._by_words: dict[tuple[str, ...], list[CaseRow]] = defaultdict(list)
        for row in known:
            self._by_name[row.name].append(row)
            for words in {_words(row.name), _words(f"{row.suite} {row.name}"), _words(f"{row.classname} {row.name}")}:
                self._by_words[words].append(row)
        self._taken: set[CaseRow] = set()

    def find(self, test: CaseRow) -> CaseRow | None:
        """Return the test that one of a log is; None where none is, or more than one may be."""
        exact = next((row for row in self._by_name.get(test.name, ()) if _is_same(row, test)), None)
        if exact is None:
            for words in (_words(f"{test.classname} {test.name}"), _words(test.name)):
                near = [row for row in self._by_words.get(words, ()) if row not in self._taken and _may_be(row, test)]
                if words and len(near) == 1:
                    exact = near[0]
                    break
        if exact is not None:
            self._taken.add(exact)
        return exact


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a name without case, leading numbers and idle words: `2 - childIsGone` is child, is, gone."""
    words = [word.lower() for word in _WORD.findall(text)]
    words = [word for word in words if word not in _IDLE]
    while len(words) > 1 and words[0].isdigit():
        del words[0]
    return tuple(words)


def _is_same(known: CaseRow, told: CaseRow) -> bool:
    """Whether a log's test is a known one of the same name.

    Of Playwright's tests, which run once in each project, that of the same one: `[firefox] a.spec.ts`. A log may name
    a file from the folder of the project, and the JUnit file from the folder of the tests.
    """
    if known.suite.startswith("[") and told.suite.startswith("["):
        if known.suite.partition("]")[0] != told.suite.partition("]")[0]:
            return False
        return known.classname == told.classname or told.classname.endswith(f"/{known.classname}")
    return known.classname == told.classname


def _may_be(known: CaseRow, told: CaseRow) -> bool:
    """Whether two tests may be of one runner: their frameworks say nothing else."""
    frameworks = {known.framework, told.framework}
    return "" in frameworks or len(frameworks) == 1 or frameworks <= _FAMILY or "tap" in frameworks


_FAMILY = frozenset({"unittest", "nose2", "nose", "pytest"})
"""Frameworks whose consoles look alike."""
