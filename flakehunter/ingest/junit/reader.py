"""Read a JUnit XML stream into batches of rows, whatever its dialect, in flat memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import BinaryIO

from flakehunter.db.rows import Batch, CaseRow, EventRow, FailureRow, PropertyRow
from flakehunter.ingest import identity
from flakehunter.ingest.junit.cases import Attempt, exception_type, read_case
from flakehunter.ingest.junit.dialects import dialect_of
from flakehunter.ingest.junit.passes import MARK, Passes
from flakehunter.ingest.junit.properties import Entries, output_entries, property_entries, stored_entries
from flakehunter.ingest.junit.suites import Key, Memory, Rows, Suite, name_test, suite_name
from flakehunter.ingest.junit.tree import Element, GrowingTree, XmlDamage
from flakehunter.ingest.junit.values import count, parse_timestamp
from flakehunter.ingest.limits import Limits
from flakehunter.ingest.logs.events import classify
from flakehunter.ingest.text import stored
from flakehunter.model import Outcome
from flakehunter.stats.fingerprints import detail_hash, fingerprint

CHUNK = 256 * 1024
"""Bytes given to the parser at once."""

FEW_CASES = 8
"""So few are not looked at one half after the other."""

SUITE_ERROR = "(suite)"
"""Name of the test case that stands for a suite which failed as a whole."""

_fingerprint = lru_cache(4096)(fingerprint)
"""The same message comes again in file after file, and masking it is what takes longest in a failure."""

_PASSED = Outcome.PASSED.value


class JUnitReader:
    """Reads one document; `batches()` once, then look at `framework`, `started_at` and `damage`."""

    def __init__(
        self,
        stream: BinaryIO,
        limits: Limits,
        *,
        memory: Memory | None = None,
        elements_for_all: bool = False,
        encoding: str | None = None,
        passes: Sequence[Passes] = (),
    ) -> None:
        self._stream, self._limits, self._all = stream, limits, elements_for_all
        self._memory = memory or Memory()
        self._alone = memory is None
        """Whether what is remembered is of no use to other files."""
        self._passes = passes
        """Test cases that have been cut out of the stream, which has marks for them."""
        self._tree = GrowingTree(limits, encoding)
        self.framework = ""
        self.started_at: datetime | None = None
        self.damage: XmlDamage | None = None
        """Why the reading stopped early; whole cases before it have been given."""
        self.cases = 0
        """`<testcase>` elements read."""
        self._outer: dict[str, str] = {}
        self.declared = 0
        """Tests that the suites say they have."""
        self._suites_seen = 0
        self._nesting = 0
        self._reset()

    def _reset(self) -> None:
        self._batch = Batch()
        self._seen: dict[str, dict[tuple[str, str], int]] = {}
        self._attempts: dict[int, int] = {}
        """Attempts of a test so far; one where it is missing."""
        self._last: dict[int, int] = {}
        """Place of the last result of tests that did not simply pass."""
        self._failures: dict[tuple[bytes, bytes], int] = {}
        self._told: tuple[str, str, str] | None = None
        """Type, message and detail of the last failure, as the file has them; `_told_place` is its place."""
        self._repeats = False
        self._rows: dict[str, Rows] = {}
        """Rows of the suites whose plain passes are columns, by the name of the suite."""
        self._taken: set[int] = set()
        """Places in `Memory.known` of tests that the batch has."""
        self._in_rows = self._all
        """Whether plain passes of this batch are rows as all others are."""
        for suite in getattr(self, "_open", []):
            suite.seen = self._seen.setdefault(suite.name, {})

    def batches(self) -> Iterator[Batch]:
        """Yield the rows of the document in parts of about `limits.batch_results`.

        Raises:
            XmlDamage: it is not JUnit XML, or it is refused; a document that breaks off sets `damage` instead.
            NotCut: what was cut out of it cannot be used.
        """
        self._open: list[Suite] = []
        since_progress = 0
        try:
            while data := self._stream.read(CHUNK):
                before = self.cases
                self._tree.feed(data)
                if self._tree.depth() > self._limits.xml_depth:
                    raise self._too_deep()
                self._harvest()
                since_progress = 0 if self.cases > before else since_progress + len(data)
                if since_progress > self._limits.xml_element:
                    raise XmlDamage("", f"one element is larger than {self._limits.xml_element} bytes", refused=True)
                if len(self._batch) >= self._limits.batch_results:
                    yield self._flush()
            self._tree.close()
        except XmlDamage as damage:
            if damage.refused or self._tree.root is None:
                raise
            self.damage = damage
            self._harvest(self._tree.open_elements())
        else:
            self._harvest([])
        yield self._flush(last=True)

    def _too_deep(self) -> XmlDamage:
        return XmlDamage("", f"elements are nested deeper than {self._limits.xml_depth}", refused=True)

    def _harvest(self, open_elements: list[Element] | None = None) -> None:
        """Take the finished elements out of the tree.

        `open_elements` is None in the middle of the document: then the last child of each open element may be
        unfinished and stays. After the end or the damage it holds exactly what is unfinished.
        """
        root = self._tree.root
        if root is None:
            return
        if not self._open:
            self._open = [self._root_suite(root)]
        self._take(
            root, self._open[0], {id(element) for element in open_elements} if open_elements is not None else None
        )
        self._open = self._open[:1]
        while self._open[-1].open_child:
            self._open.append(self._open[-1].open_child[1])

    def _root_suite(self, root: Element) -> Suite:
        tag = root.tag.rpartition("}")[2]
        if tag not in ("testsuites", "testsuite"):
            raise XmlDamage(
                "line 1, column 1", f"not JUnit: the root element is <{tag}>{dialect_of(root)}", refused=True
            )
        if tag == "testsuites":
            self._outer = dict(root.attrib)
            self._take_time(root.attrib)
            return Suite(dict(root.attrib), "", self._seen.setdefault("", {}), 0)
        return self._suite(root, None)

    def _suite(self, element: Element, parent: Suite | None) -> Suite:
        attributes = dict(element.attrib)
        self._take_time(attributes)
        self._suites_seen += 1
        name = suite_name(attributes, parent, self._outer, self._limits.name_chars)
        level = parent.level + 1 if parent else 1
        if level == 1 or not self.declared:
            self.declared += count(attributes.get("tests"))
        return Suite(attributes, name, self._seen.setdefault(name, {}), level)

    def _take_time(self, attributes: dict[str, str]) -> None:
        moment = parse_timestamp(attributes.get("timestamp", ""))
        if moment is not None and (self.started_at is None or moment < self.started_at):
            self.started_at = moment

    def _take(self, element: Element, suite: Suite, unfinished: set[int] | None) -> None:
        """Take the finished children out of a suite; in a closed one there may be suites of any depth."""
        self._nesting += 1
        try:
            if self._nesting > self._limits.xml_depth:
                raise self._too_deep()
            self._take_finished(element, suite, unfinished)
        finally:
            self._nesting -= 1

    def _take_finished(self, element: Element, suite: Suite, unfinished: set[int] | None) -> None:
        number = len(element)
        if not number:
            return
        last = element[number - 1]
        keeps_last = unfinished is None or id(last) in unfinished
        done = element[: number - 1] if keeps_last else element[:number]
        if suite.open_child is not None and len(done):
            first, child_suite = suite.open_child
            if first is done[0]:
                self._take(first, child_suite, set())
                done = done[1:]
                suite.open_child = None
        self._take_children(done, suite)
        if not keeps_last:
            del element[:]
            return
        del element[: number - 1]
        if _is_suite(last):
            if suite.open_child is None:
                suite.open_child = (last, self._suite(last, suite if suite.level else None))
            self._take(last, suite.open_child[1], unfinished)

    def _take_children(self, children: list[Element], suite: Suite) -> None:
        """Read finished elements, those in a row that are test cases with nothing inside all at once."""
        if not self.cases:
            # The first case tells the framework, and so which rows earlier files had.
            first = next((place for place, child in enumerate(children) if child.tag == "testcase"), len(children))
            for child in children[: first + 1]:
                self._take_child(child, suite)
            children = children[first + 1 :]
        start = 0
        for place in [place for place, child in enumerate(children) if len(child) or child.tag != "testcase"]:
            self._take_plain(children[start:place], suite)
            self._take_child(children[place], suite)
            start = place + 1
        self._take_plain(children[start:], suite)

    def _take_plain(self, cases: list[Element], suite: Suite) -> None:
        """Read test cases with nothing inside.

        99 % of all are passes of tests that earlier files had, with a name, a class name and a plain number as their
        time: those become columns without a step of Python for each. Where one is not, the halves are tried; what is
        left, and what no earlier file had, goes the longer way, to the same rows.
        """
        if not cases:
            return
        if not self._in_rows:
            attributes = [case.attrib for case in cases]
            if self._take_columns(attributes, suite):
                return
            if self._name_new(cases, suite) and self._take_columns(attributes, suite):
                return
        if self._in_rows or len(cases) == 1 or not self._knows_any(cases, suite):
            for case in cases:
                self._take_child(case, suite)
            return
        half = len(cases) // 2
        self._take_plain(cases[:half], suite)
        self._take_plain(cases[half:], suite)

    def _name_new(self, cases: list[Element], suite: Suite) -> bool:
        """Work out the rows of tests that no earlier file had; return whether there were some."""
        rows, memory = self._known_rows(suite), self._memory
        if self._alone or rows is None or not memory.has_room(rows, len(cases)):
            return False
        plain, other = rows.plain, rows.other
        found = False
        for case in cases:
            key = (case.get("classname", ""), case.get("name", ""))
            if key not in plain and key not in other:
                row = name_test(case, suite, key, self.framework, self._limits.name_chars)
                memory.remember(rows, key, row, case)
                found = True
        return found

    def _knows_any(self, cases: list[Element], suite: Suite) -> bool:
        plain = self._memory.of_suite(self.framework, suite).plain
        return any((case.get("classname"), case.get("name")) in plain for case in cases)

    def _take_columns(self, cases: list[dict[str, str]], suite: Suite) -> bool:
        """Add plain passes, given by their attributes, to the columns; return False, and add none, if one is not."""
        rows = self._known_rows(suite)
        if rows is None:
            return False
        place_of = rows.plain.get
        try:
            places = [place_of((case["classname"], case["name"])) for case in cases]
            durations = [float(case["time"]) for case in cases]
        except (KeyError, ValueError):
            return False
        # Of three attributes, these are all.
        if max(map(len, cases)) > 3 and any("status" in case or "result" in case for case in cases):
            return False
        return self._add_columns(places, durations)

    def _add_columns(self, places: list[int | None], durations: list[float]) -> bool:
        """Add passes of the tests at these places; return False, and add none, if one is no simple pass."""
        new = set(places)
        if None in new or len(new) < len(places) or not new.isdisjoint(self._taken):
            return False
        if not (min(durations) >= 0.0 and sum(durations) < 1e10):  # false for what is no number, too
            return False
        self._taken |= new  # type: ignore[arg-type]
        self._batch.passed += places  # type: ignore[arg-type]
        self._batch.durations += durations
        self.cases += len(places)
        return True

    def _known_rows(self, suite: Suite) -> Rows | None:
        """Return the rows of a suite's tests; None where the short way may not be used."""
        if self._in_rows:
            return None
        rows, batch = self._memory.of_suite(self.framework, suite), self._batch
        if self._rows.setdefault(suite.name, rows) is not rows or batch.known not in (None, self._memory.known):
            # The same tests would have other places now.
            self._put_in_rows()
            return None
        batch.known = self._memory.known
        return rows

    def _take_passes(self, passes: Passes, suite: Suite, start: int, stop: int) -> None:
        """Read some of the test cases that have been cut out: by their text where it is known, else as elements.

        Raises:
            NotCut: they are something else.
        """
        rows = self._known_rows(suite)
        if rows is not None:
            places = list(map(rows.heads.get, passes.heads[start:stop]))
            if self._add_columns(places, passes.durations[start:stop]):
                return
        if rows is not None and stop - start > FEW_CASES and places.count(None) < len(places):
            half = (start + stop) // 2
            self._take_passes(passes, suite, start, half)
            self._take_passes(passes, suite, half, stop)
            return
        elements = passes.elements(start, stop)
        self._take_plain(elements, suite)
        self._memory.add_heads(self._memory.of_suite(self.framework, suite), passes.heads[start:stop], elements)

    def _put_in_rows(self) -> None:
        """Make rows of the plain passes of the batch: a test comes again, and its attempts have to be told apart."""
        batch = self._batch
        for place, duration in zip(batch.passed, batch.durations, strict=True):
            assert batch.known is not None
            row = batch.known.rows[place]
            test = len(batch.tests)
            batch.tests.append(row)
            batch.results.append((test, 1, _PASSED, duration, None))
            self._seen.setdefault(row.suite, {})[row.classname, row.name] = test
        batch.passed.clear()
        batch.durations.clear()
        self._in_rows = True

    def _take_child(self, child: Element, suite: Suite) -> None:
        tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if tag == "testcase":
            self._take_case(child, suite)
        elif tag == MARK and self._passes:
            passes = self._passes[int(child.attrib["n"])]
            self._take_passes(passes, suite, 0, len(passes.heads))
        elif tag in ("testsuite", "testsuites"):
            inner = self._suite(child, suite if suite.level else None) if tag == "testsuite" else suite
            self._take(child, inner, set())
        elif tag in ("failure", "error") and suite.level:
            self._take_suite_error(child, suite)
        elif tag == "properties":
            entries = list(property_entries(child))
            for name, _ in entries:
                self.framework = self.framework or identity.framework_of_property(name)
            self._add_properties(entries, suite, None)
        elif tag in ("system-out", "system-err") and child.text:
            self._take_output(child.text, None)
            self._add_properties(list(output_entries(child.text)), suite, None)

    def _new_test(self, case: Element, suite: Suite, key: tuple[str, str]) -> int:
        if not self.cases and not self.framework:
            attributes = suite.attributes if suite.level else {}
            self.framework = identity.framework_of(self._outer, attributes, dict(case.attrib))
        row = self._row(case, suite, key)
        stored_key = (row.classname, row.name)
        test = suite.seen.get(stored_key)
        if test is None:
            test = suite.seen[stored_key] = len(self._batch.tests)
            self._batch.tests.append(row)
            self._attempts[test] = 0
        suite.seen[key] = test
        return test

    def _row(self, case: Element, suite: Suite, key: Key) -> CaseRow:
        """Return the row of a test, from what earlier files said of it where there is that."""
        rows = self._memory.of_suite(self.framework, suite)
        place = rows.plain.get(key)
        row = rows.other.get(key) if place is None else self._memory.known.rows[place]
        if row is None or (not row.file and case.get("file")):
            row = name_test(case, suite, key, self.framework, self._limits.name_chars)
            self._take_place(rows, (row.classname, row.name), suite)
            place = self._memory.remember(rows, key, row, case)
            if place is not None:
                self._taken.add(place)
        else:
            self._take_place(rows, (row.classname, row.name), suite)
        return row

    def _take_place(self, rows: Rows, key: Key, suite: Suite) -> None:
        """Say that the batch has a test in a row; where it has it in the columns, all of them become rows."""
        place = rows.plain.get(key)
        if self._in_rows:
            return
        if self._rows.setdefault(suite.name, rows) is not rows or place in self._taken:
            self._put_in_rows()
        elif place is not None:
            self._taken.add(place)

    def _take_case(self, element: Element, suite: Suite) -> None:
        key = (element.get("classname") or "", element.get("name") or "")
        test = suite.seen.get(key)
        if test is None:
            test = self._new_test(element, suite, key)
        if self._attempts.get(test, 1):
            self._repeats = True
        case = read_case(element, self.framework)
        self.cases += 1
        for text in case.output:
            self._take_output(text, test)
        if case.continues and test in self._last and self._continue(test, case.attempts[-1]):
            return
        for attempt in case.attempts:
            self._add(test, attempt)
        self._add_properties(case.properties, suite, test)

    def _add_properties(self, entries: Entries, suite: Suite, test: int | None) -> None:
        """Keep what an element says beside its results: of a test, or of the suite itself."""
        if not entries:
            return
        attempt = None if test is None else self._attempts[test]
        name = suite.name if test is None else ""
        self._batch.properties.append(PropertyRow(name, test, attempt, stored_entries(entries, self._limits)))

    def _add(self, test: int, attempt: Attempt) -> None:
        number = self._attempts[test] = self._attempts.get(test, 1) + 1
        failure = None
        if attempt.outcome.is_bad:
            failure = self._failure(attempt)
            self._last[test] = len(self._batch.results)
        self._batch.results.append((test, number, attempt.outcome.value, attempt.duration_s, failure))

    def _continue(self, test: int, more: Attempt) -> bool:
        """Add a failed teardown to the failed attempt before it."""
        place = self._last[test]
        _, number, outcome, duration, failure = self._batch.results[place]
        if failure is None:
            return False
        first = self._batch.failures[failure]
        joined = Attempt(Outcome.FAILED, None, first.type, first.message, f"{first.detail}\n\n{more.detail}")
        self._batch.results[place] = (test, number, outcome, duration, self._failure(joined))
        return True

    def _failure(self, attempt: Attempt) -> int:
        """Return the place of a failure; what was just said of another test need not be worked out again."""
        told = (attempt.type, attempt.message, attempt.detail)
        if told != self._told:
            self._told, self._told_place = told, self._new_failure(attempt)
        return self._told_place

    def _new_failure(self, attempt: Attempt) -> int:
        message = stored(attempt.message, self._limits.message_chars)
        detail = stored(attempt.detail, self._limits.detail_chars)
        kind = stored(attempt.type, self._limits.message_chars)
        if not kind and self.framework == "pytest":
            kind = exception_type(message)
        print_ = _fingerprint(kind, message)
        pair = (print_, detail_hash(kind, message, detail))
        if pair not in self._failures:
            self._failures[pair] = len(self._batch.failures)
            self._batch.failures.append(FailureRow(*pair, kind, message, detail))
        return self._failures[pair]

    def _take_suite_error(self, child: Element, suite: Suite) -> None:
        key = (suite.name, SUITE_ERROR)
        test = suite.seen.get(key)
        if test is None:
            test = self._new_test(Element("testcase"), suite, key)
        text = "".join(child.itertext()).strip("\n")
        outcome = Outcome.ERRORED if child.tag.endswith("error") else Outcome.FAILED
        self._add(test, Attempt(outcome, None, child.get("type") or "", child.get("message") or "", text))

    def _take_output(self, text: str, test: int | None) -> None:
        owner = None
        if test is not None:
            row = self._batch.tests[test]
            owner = (row.classname, row.name)
        for number, line in enumerate(text.splitlines(), start=1):
            event = classify(line)
            if event is not None and len(self._batch.events) < self._limits.events:
                shown = stored(line.strip(), self._limits.line_chars)
                self._batch.events.append(EventRow(number, None, event[0].value, event[1], shown, owner))

    def _flush(self, *, last: bool = False) -> Batch:
        if self._repeats and self.framework == "pytest" and (not last or self.cases > self.declared):
            self._mark_reruns()
        batch = self._batch
        self._reset()
        return batch

    def _mark_reruns(self) -> None:
        """Turn passes that were run again into failures: pytest-rerunfailures writes an empty case for each rerun.

        pytest's `tests` does not count those, so a file that declares as many tests as it has cases holds none.
        """
        results = self._batch.results
        last = {row[0]: place for place, row in enumerate(results)}
        for place, (test, number, outcome, duration, failure) in enumerate(results):
            if outcome == _PASSED and last[test] != place:
                results[place] = (test, number, Outcome.FAILED.value, duration, failure)


def _is_suite(element: Element) -> bool:
    return isinstance(element.tag, str) and element.tag.rpartition("}")[2] in ("testsuite", "testsuites")
