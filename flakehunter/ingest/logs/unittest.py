"""Console output of unittest, nose and xmlrunner: `-v` lines, and the blocks of failures below the dots."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, LogResult, Owner
from flakehunter.model import Outcome

_WORDS = {
    "ok": Outcome.PASSED,
    "FAIL": Outcome.FAILED,
    "ERROR": Outcome.ERRORED,
    "skipped": Outcome.SKIPPED,
    "SKIP": Outcome.SKIPPED,
    "skip": Outcome.SKIPPED,
    "expected failure": Outcome.SKIPPED,
    "unexpected success": Outcome.FAILED,
}
_WORD = r"(?P<word>ok|FAIL|ERROR|skipped|skip|SKIP|expected failure|unexpected success)"
_NAME = r"(?P<name>\w+) \((?P<class>[\w.<>]+)\)(?P<more>(?: [(\[].*?[)\]])?)"
_TEST = re.compile(rf"\s*{_NAME}(?: \.\.\. (?P<rest>.*))?$")
_NOSE = re.compile(r"(?P<class>[\w.]+)\.(?P<name>\w+)(?P<more>(?:\(.*\))?) \.\.\. (?P<rest>.*)$")
_OUTCOME = re.compile(rf"(?:.* )?{_WORD}(?:[ :(].*)?$")
_DOCSTRING = re.compile(rf".* \.\.\. {_WORD}(?: .*)?$")
_BLOCK = re.compile(r"(?P<kind>FAIL|ERROR|UNEXPECTED SUCCESS)(?: \[[\d.]+s\])?: (?P<test>.+)$")


class UnittestReader(LineReader):
    """Reads one run of unittest."""

    def __init__(self) -> None:
        super().__init__()
        self._by_test: dict[tuple[str, str], LogResult] = {}
        self._block: LogResult | None = None
        self._over = False
        self._waiting = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        block = _BLOCK.match(line)
        if block:
            return self._begin_block(block)
        if line.startswith(("=" * 50, "Ran ")):
            self._close()
            self.owner = None
            self._waiting = False
            return None
        if self._block is not None or self._over:
            return self.collect(line)
        found = _TEST.match(line) or _NOSE.match(line)
        if found:
            return self._test(found)
        if self._waiting and self.owner is not None and self.owner.test is not None:
            word = _DOCSTRING.match(line) or re.match(rf"{_WORD}$", line)
            if word:
                self._result(self.owner.test, word["word"])
                owner, self.owner, self._waiting = self.owner, None, False
                return owner
        return self.owner

    def _test(self, found: re.Match[str]) -> Owner:
        classname, name = _split(found["class"], found["name"])
        name += found["more"]
        self.begin(classname, name)
        rest = found["rest"]
        outcome = _OUTCOME.match(rest) if rest else None
        self._waiting = outcome is None
        if outcome:
            self._result((classname, name), outcome["word"])
        assert self.owner is not None
        owner = self.owner
        if outcome:
            self.owner = None
        return owner

    def _result(self, test: tuple[str, str], word: str) -> None:
        self._by_test[test] = self.add(*test, _WORDS[word], suite=test[0])

    def _begin_block(self, block: re.Match[str]) -> Owner:
        self._close()
        found = _TEST.match(block["test"])
        if found:
            classname, name = _split(found["class"], found["name"])
            name += found["more"]
        else:
            # `test_names('./m.json', ...) (tests.T)`: a name with arguments.
            head, _, tail = block["test"].rpartition(" (")
            classname, name = (tail.rstrip(")"), head) if head else ("", block["test"])
        owner = self.begin(classname, name)
        if block["kind"] == "UNEXPECTED SUCCESS":
            return owner
        # nose2 and xmlrunner have one line for a test, and a block for each of its subtests that failed.
        self._block = self._by_test.get((classname, name)) or self._failed_as_a_whole(classname, found)
        if self._block is None:
            self._result((classname, name), block["kind"])
            self._block = self._by_test[(classname, name)]
        return owner

    def _failed_as_a_whole(self, classname: str, found: re.Match[str] | None) -> LogResult | None:
        whole = self._by_test.get((classname, found["name"])) if found and found["more"] else None
        return whole if whole is not None and whole.outcome.is_bad else None

    def _close(self) -> None:
        if self._block is not None:
            self._text = [line for line in self._text if not line.startswith("-" * 50)]
            self.take_text(self._block)
            lines = [line for line in self._block.detail.splitlines() if line.strip() and not line.startswith(" ")]
            self._block.message = lines[-1].strip() if lines else self._block.message
            self._over = True
        self._block = None

    def end(self) -> None:
        """Close the last failure."""
        self._close()


def _split(dotted: str, name: str) -> tuple[str, str]:
    """Return class and name: Python 3.11 writes `test_x (module.Class.test_x)`, older ones the class alone."""
    return dotted.removesuffix(f".{name}"), name


class UnittestFormat:
    """How unittest's output is recognised."""

    name = "unittest"
    start = NEVER
    weak = re.compile(
        rf"(?:\w+ \([\w.]+\)|[\w.]+\.test\w*) \.\.\. "
        r"|(?:FAIL|ERROR)(?: \[[\d.]+s\])?: \w+.* \([\w.]+\)$"
        rf"|{_NAME} \.\.\. {_WORD}"
    )

    def reader(self) -> UnittestReader:
        """Return a reader for one run."""
        return UnittestReader()
