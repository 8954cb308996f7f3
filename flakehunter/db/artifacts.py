"""One artifact inside its transaction: its run, its row, and the rows of what is in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import repeat
from typing import Protocol

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from flakehunter.clock import utc_now
from flakehunter.db.bulk import Origin, StoredResult
from flakehunter.db.details import add_events, add_properties
from flakehunter.db.locks import lock_runs
from flakehunter.db.partitions import day_of
from flakehunter.db.prepared import Prepared
from flakehunter.db.rows import (
    ArtifactRow,
    Batch,
    CaseRow,
    FailureRow,
    IssueRow,
    Known,
    ResultRow,
    RunRow,
    RunSettings,
    Written,
)
from flakehunter.db.runs import RunState, began_earlier, ensure_run, name_of
from flakehunter.db.same_tests import match_tests
from flakehunter.db.schema import Artifact, ArtifactIssue, Result, Run, TestCase
from flakehunter.db.shared import Caches as SharedCaches
from flakehunter.db.shared import ensure_cases
from flakehunter.model import Outcome

REMEMBERED = 10_000
"""Ids of new tests and failures kept of one file, 400 bytes each: one with millions must not fill the memory."""

ATTEMPTS = 100_000
"""Tests of a run whose attempts are remembered, 100 bytes each; beyond that they are asked for."""

# Statements are built once: building one costs SQLAlchemy ten times what running it does.
_OF_RUN = select(Artifact.id).where(Artifact.run_id == bindparam("run_id"))
_ANY_RESULT = select(Result.id).where(Result.artifact_id.in_(_OF_RUN)).limit(1)
_ANY_LOG_RESULT = select(Result.id).where(Result.artifact_id.in_(_OF_RUN.where(Artifact.kind == "log"))).limit(1)
_NEWEST_ARTIFACT = select(func.max(Artifact.id))
_NEWEST_OF_RUN = _NEWEST_ARTIFACT.where(Artifact.run_id == bindparam("run_id"))
_HIGHEST_TEST = select(func.coalesce(func.max(TestCase.id), 0))


def newest_artifact(connection: Connection, run_id: int | None = None) -> int | None:
    """Return the id of the artifact that was written last, by whomever; of one run where that is given."""
    if run_id is None:
        return connection.execute(_NEWEST_ARTIFACT).scalar()
    return connection.execute(_NEWEST_OF_RUN, {"run_id": run_id}).scalar()


@dataclass(slots=True)
class Latest:
    """What is true as long as nobody else has written: the artifact written last, and the attempts of its run."""

    artifact_id: int
    run_id: int
    attempts: dict[int, int] | None
    """Highest attempt of each test case of the run; None where it has to be asked for."""


class Caches(SharedCaches, Protocol):
    """What the writer of many artifacts keeps between them."""

    connection: Connection
    runs: dict[RunRow, RunState]
    written: Written
    prepared: Prepared


class ArtifactWriter:
    """One artifact inside its transaction; made by `Writer.artifact`.

    `known` says that the run has this content already: then nothing may be written, and `known_results` and
    `known_issues` tell what it brought.
    """

    def __init__(
        self, caches: Caches, project_id: int, run: RunRow, artifact: ArtifactRow, latest: Latest | None
    ) -> None:
        self._latest = latest
        self._caches, self._project_id = caches, project_id
        self._connection, self._bulk = caches.connection, caches.bulk
        self.new_tests: dict[CaseRow, int] = {}
        self.new_failures: dict[tuple[bytes, bytes], int] = {}
        self.new_results = 0
        self.known_issues: list[IssueRow] = []
        self._artifact = artifact
        self.run = run
        self._file_started_at: datetime | None = None
        self._now = utc_now()
        self._attempts: dict[int, int] | None = None
        if name_of(run) not in caches.prepared.locked:
            lock_runs(self._connection, [(project_id, *name_of(run))])
        self.state = self._current_state()
        self.known = not self._insert_artifact()
        if self.known:
            self._find_artifact()

    def _current_state(self) -> RunState:
        state = self._caches.runs.get(self.run)
        latest = self._latest
        if state is None:
            state, is_new = self._caches.prepared.runs.pop(self.run, None), True
            if state is None:
                state, is_new = ensure_run(self._connection, self._project_id, self.run)
            if is_new:
                self._attempts = {}
                return state
        if latest is not None and latest.run_id == state.id:
            self._attempts = latest.attempts
            return state
        if not state.has_results:
            # Another process may have brought some since.
            state = replace(state, has_results=self._run_has_results(state.id))
            if not state.has_results:
                self._attempts = {}
        if state.has_results and not state.has_log_results and self._artifact.kind != "log":
            state = replace(state, has_log_results=self._run_has_results(state.id, "log"))
        return state

    def add(self, batch: Batch) -> None:
        """Insert a part of the file, of whatever kind the artifact is."""
        if self._artifact.kind == "log" and batch.tests:
            if self.state.has_results:
                batch = self._as_the_run_names_them(batch)
            elif self._is_pruned():
                # What they repeat is in a rollup, and nobody can say any more under which names.
                batch = replace(batch, tests=[], results=[])
        if batch.known is not None and batch.passed and not self._add_passes(batch.known, batch):
            batch = batch.in_rows()
        ids, before = self._add_results(batch) if batch.results else ([], {})
        for issue in batch.issues:
            self.add_issue(issue)
        if batch.events:
            self._bulk.write_out(self._connection)
            add_events(self._connection, self._project_id, self._origin, batch.events)
        if batch.properties:
            add_properties(self._connection, self._bulk, self._origin, batch.properties, ids, before)
        if batch.settings != RunSettings():
            self._note_settings(batch.settings)

    def _note_settings(self, settings: RunSettings) -> None:
        """Keep what a file says of how its run runs tests, where nobody has said it before."""
        for column, value in ((Run.parallel, settings.parallel), (Run.time_limit_s, settings.time_limit_s)):
            if value is not None:
                unknown = (Run.id == self.state.id) & column.is_(None)
                self._connection.execute(update(Run).where(unknown).values({column: value}))

    def add_issue(self, issue: IssueRow) -> None:
        """Record what is wrong with the file."""
        row = {"artifact_id": self._artifact_id, **issue._asdict()}
        self._connection.execute(insert(ArtifactIssue), [row])

    def started_at(self, moment: datetime | None) -> None:
        """Take the moment that the file tells as the run's start, when nobody gave another; the earliest one stays."""
        if self.run.started_at is None:
            self._file_started_at = moment

    def finish(self) -> None:
        """Write what is known only at the end of the file."""
        moment, before = self._file_started_at, self.state.started_at
        if moment is not None and not self.known and (before is None or moment < before):
            began_earlier(self._connection, self.state.id, moment)
            self.state = replace(self.state, started_at=moment)

    def latest(self) -> Latest | None:
        """Return what the next artifact may rely on, once this one is committed."""
        if self.known:
            return self._latest
        if not self.new_results:
            return None
        return Latest(self._artifact_id, self.state.id, self._attempts)

    def known_results(self) -> int:
        """Count the results that the known artifact brought."""
        self._bulk.write_out(self._connection)
        query = select(func.count()).select_from(Result).where(Result.artifact_id == self._artifact_id)
        return int(self._connection.execute(query).scalar_one())

    def _run_has_results(self, run_id: int, kind: str | None = None) -> bool:
        self._bulk.write_out(self._connection)
        query = _ANY_RESULT if kind is None else _ANY_LOG_RESULT
        return self._connection.execute(query, {"run_id": run_id}).first() is not None

    def _is_pruned(self) -> bool:
        """Whether the run had results whose rows are gone; only a run with other artifacts is looked for."""
        others = select(Artifact.id).where(Artifact.run_id == self.state.id, Artifact.id != self._artifact_id)
        if self._connection.execute(others.limit(1)).first() is None:
            return False
        # numpy is not for those who never prune.
        from flakehunter.db.queries.rollups import has_pruned

        return has_pruned(self._connection, self._project_id, self.state.id)

    def _find_artifact(self) -> None:
        query = select(Artifact.id).where(Artifact.run_id == self.state.id, Artifact.sha256 == self._artifact.sha256)
        found = self._connection.execute(query).scalar_one()
        self._artifact_id = int(found)
        issues = select(ArtifactIssue.position, ArtifactIssue.reason, ArtifactIssue.rejected)
        rows = self._connection.execute(issues.where(ArtifactIssue.artifact_id == found).order_by(ArtifactIssue.id))
        self.known_issues = [IssueRow(*row) for row in rows]

    def _insert_artifact(self) -> bool:
        """Insert the artifact; return False when the run has this content already."""
        made = self._caches.prepared.artifacts.pop((self.state.id, self._artifact.sha256), None)
        if made is None:
            made = self._bulk.insert_artifact(self._connection, self.state.id, self._artifact, self._now)
        if made is not None:
            self._artifact_id = made
            self._caches.written.begin(self._artifact_id)
        return made is not None

    def forget_refused(self) -> None:
        """Take a known artifact that was refused before out again, so that it can be read anew."""
        connection = self._connection
        connection.execute(ArtifactIssue.__table__.delete().where(ArtifactIssue.artifact_id == self._artifact_id))  # type: ignore[attr-defined]
        connection.execute(Artifact.__table__.delete().where(Artifact.id == self._artifact_id))  # type: ignore[attr-defined]
        self.known, self.known_issues = not self._insert_artifact(), []

    def set_format(self, name: str) -> None:
        """Write the dialect, where it was not known before the file was read."""
        if name == self._artifact.format:
            return
        self._connection.execute(update(Artifact).where(Artifact.id == self._artifact_id).values(format=name))

    def _add_passes(self, known: Known, batch: Batch) -> bool:
        """Insert the plain passes; return False, and nothing is done, where the run may have results of their tests."""
        attempts = self._attempts
        if attempts is None or (self.state.has_results and self.state.has_log_results):
            return False
        ids = self._ids_of_places(known, batch.passed)
        if not attempts.keys().isdisjoint(ids):
            return False
        self._bulk.insert_passes(self._connection, self._origin, ids, batch.durations)
        self._caches.written.add_passes(self.state.id, ids)
        attempts.update(zip(ids, repeat(1)))
        self._attempts = attempts if len(attempts) < ATTEMPTS else None
        self._has_results(len(ids))
        return True

    def _ids_of_places(self, known: Known, places: Sequence[int]) -> list[int]:
        """Return the ids of the test cases at `places` of `known`."""
        found = self._caches.ids_of_places(known)
        ids = [found[place] for place in places]
        if None in ids:
            missing = [place for place, number in zip(places, ids, strict=True) if number is None]
            for place, number in zip(missing, self._test_ids([known.rows[place] for place in missing]), strict=True):
                found[place] = number
            ids = [found[place] for place in places]
        return ids  # type: ignore[return-value]

    @property
    def _origin(self) -> Origin:
        """Where the results of this artifact come from."""
        started = self.run.started_at or self._file_started_at or self.state.started_at
        return Origin(self.state.id, self._artifact_id, day_of(started, self._now))

    def _has_results(self, new: int) -> None:
        """Note that the run has results now, and of which kind."""
        self.new_results += new
        is_log = self._artifact.kind == "log"
        if not self.state.has_results or (is_log and not self.state.has_log_results):
            self.state = replace(self.state, has_results=True, has_log_results=self.state.has_log_results or is_log)

    def _add_results(self, batch: Batch) -> tuple[list[int], dict[int, int]]:
        """Insert results; return the ids of the batch's tests, and the attempts that the run had of them before."""
        made: set[int] = set()
        ids = self._test_ids(batch.tests, made)
        results: Sequence[ResultRow] = batch.results
        before: dict[int, int] = {}
        attempts = self._attempts
        run_id, artifact_id = self.state.id, self._artifact_id
        if self.state.has_results:
            if self._artifact.kind == "log":
                results = self._without_counted(results, ids)
            elif self.state.has_log_results:
                told = {*ids, *self._logged_before(batch.tests)}
                if self._bulk.delete_results(self._connection, run_id, "log", sorted(told)):
                    self._caches.written.whole = False
                attempts = None
            if attempts is not None:
                before = {test: attempts[test] for test in ids if test in attempts}
            else:
                # A test that this batch brings for the first time has no attempt before.
                before = self._bulk.max_attempts(self._connection, run_id, sorted(set(ids) - made))
        failures = self._failure_ids(batch.failures, {row[4] for row in results})
        rows: list[StoredResult] = [
            (ids[test], run_id, artifact_id, attempt, outcome, duration, failures[failure])
            for test, attempt, outcome, duration, failure in results
        ]
        if before:
            get = before.get
            rows = [(row[0], run_id, artifact_id, row[3] + get(row[0], 0), *row[4:]) for row in rows]
        if attempts is not None:
            attempts.update([(row[0], row[3]) for row in rows])
            attempts = attempts if len(attempts) < ATTEMPTS else None
        self._attempts = attempts
        if rows:
            self._bulk.insert_results(self._connection, rows, self._origin.day)
            self._caches.written.add(run_id, [row[0] for row in rows], [row[4] for row in rows])
            self._has_results(len(rows))
        return ids, before

    def _without_counted(self, results: Sequence[ResultRow], ids: Sequence[int]) -> list[ResultRow]:
        """Leave out what other artifacts of the run have said of the same tests, but for failed tries they do not show.

        vitest's JUnit file has one passed case for a test that passed at the second try; only the log tells of both.
        """
        query = (
            select(Result.test_case_id, Result.outcome, func.count())
            .where(Result.artifact_id.in_(_OF_RUN))
            .group_by(Result.test_case_id, Result.outcome)
        )
        self._bulk.write_out(self._connection)
        total: Counter[int] = Counter()
        bad: Counter[int] = Counter()
        for test, outcome, count in self._connection.execute(query, {"run_id": self.state.id}):
            total[test] += count
            bad[test] += count if outcome.is_bad else 0
        kept, told = [], Counter(ids[row[0]] for row in results)
        told_bad = Counter(ids[row[0]] for row in results if Outcome(row[2]).is_bad)
        missing = {
            test: min(told_bad[test] - bad[test], told[test] - total[test]) if test in total else told[test]
            for test in told
        }
        for row in results:
            test = ids[row[0]]
            if missing[test] > 0 and (test not in total or Outcome(row[2]).is_bad):
                missing[test] -= 1
                kept.append(row)
        return kept

    def _test_ids(self, tests: Sequence[CaseRow], made: set[int] | None = None) -> list[int]:
        """Return the ids of test cases; those that are new to the database are added to `made`, too."""
        ids = list(map(self._caches.tests.get, tests))
        if None in ids:
            missing = dict.fromkeys(test for test, known in zip(tests, ids, strict=True) if known is None)
            found = self._ensure_tests(list(missing), set() if made is None else made)
            ids = [known or found[test] for test, known in zip(tests, ids, strict=True)]
        return ids  # type: ignore[return-value]

    def _ensure_tests(self, tests: Sequence[CaseRow], made: set[int]) -> dict[CaseRow, int]:
        highest = int(self._connection.execute(_HIGHEST_TEST).scalar_one())
        ids = ensure_cases(self._connection, self._caches, self._project_id, tests)
        made.update(number for number in ids.values() if number > highest)
        if len(self.new_tests) < REMEMBERED:
            self.new_tests.update(ids)
        return ids

    def _as_the_run_names_them(self, batch: Batch) -> Batch:
        """Give tests of a log the names that JUnit files of the same run have, and leave out what they told of."""
        rows = match_tests(batch.tests, [row for row, _ in self._tests_of_run("junit")])
        places = {row: place for place, row in enumerate(dict.fromkeys(row for row in rows if row is not None))}
        results = [(places[row], *result[1:]) for result in batch.results if (row := rows[result[0]]) is not None]
        names = {
            (told.classname, told.name): (row.classname, row.name)
            for told, row in zip(batch.tests, rows, strict=True)
            if row is not None
        }
        events = [
            event._replace(test=names.get(event.test, event.test) if event.test else None) for event in batch.events
        ]
        return replace(batch, tests=list(places), results=results, events=events)

    def _logged_before(self, tests: Sequence[CaseRow]) -> list[int]:
        """Return the tests that a log of the run told of and that this file has, under whatever name."""
        logged = self._tests_of_run("log")
        matched = match_tests([row for row, _ in logged], list(dict.fromkeys(tests)))
        return [number for (row, number), match in zip(logged, matched, strict=True) if match is not row]

    def _tests_of_run(self, kind: str) -> list[tuple[CaseRow, int]]:
        """Return the tests of which the run's artifacts of a kind told, with their ids."""
        columns = (TestCase.suite, TestCase.classname, TestCase.name, TestCase.framework, TestCase.file, TestCase.line)
        of_kind = select(Result.test_case_id).where(Result.artifact_id.in_(_OF_RUN.where(Artifact.kind == kind)))
        query = select(*columns, TestCase.id).where(TestCase.id.in_(of_kind)).order_by(TestCase.id)
        self._bulk.write_out(self._connection)
        rows = self._connection.execute(query, {"run_id": self.state.id})
        return [(CaseRow(*row[:-1]), row[-1]) for row in rows]

    def _failure_ids(self, failures: Sequence[FailureRow], used: set[int | None]) -> dict[int | None, int | None]:
        """Return the ids of the failures that results use; those of a log may all have been left out."""
        ids: dict[int | None, int | None] = {None: None}
        missing: dict[tuple[bytes, bytes], FailureRow] = {}
        wanted = [(place, failure) for place, failure in enumerate(failures) if place in used]
        known = self._known_failures({(failure.fingerprint, failure.detail_hash) for _, failure in wanted})
        for place, failure in wanted:
            pair = (failure.fingerprint, failure.detail_hash)
            ids[place] = known.get(pair) or self.new_failures.get(pair)
            if ids[place] is None:
                missing.setdefault(pair, failure)
        if missing:
            made = self._bulk.ensure_failures(self._connection, [missing[pair] for pair in sorted(missing)])
            self._caches.prepared.failures.update(made.values())
            if len(self.new_failures) < REMEMBERED:
                self.new_failures.update(made)
            for place, failure in wanted:
                if ids[place] is None:
                    ids[place] = made[(failure.fingerprint, failure.detail_hash)]
        return ids

    def _known_failures(self, wanted: set[tuple[bytes, bytes]]) -> dict[tuple[bytes, bytes], int]:
        """Return the ids of those that are remembered and still there: somebody may have pruned texts meanwhile."""
        known = {pair: self._caches.failures[pair] for pair in wanted if pair in self._caches.failures}
        there = self._caches.prepared.failures
        there |= self._bulk.failures_there(
            self._connection, [number for number in known.values() if number not in there]
        )
        return {pair: number for pair, number in known.items() if number in there}
