"""Write artifacts into the database: one transaction each, nothing twice, ids kept in memory between them."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from flakehunter.clock import utc_now
from flakehunter.db.bulk import Bulk, StoredResult, bulk_for
from flakehunter.db.engine import readonly, shown_url
from flakehunter.db.rows import ArtifactRow, Batch, CaseRow, EventRow, FailureRow, IssueRow, ResultRow, RunRow
from flakehunter.db.schema import Artifact, ArtifactIssue, LogEvent, Project, Result, Run, TestCase
from flakehunter.errors import DatabaseError
from flakehunter.model import Outcome, TestIdentity

_CACHE_LIMIT = 500_000
"""Ids kept in memory; beyond that they are forgotten and looked up anew (about 150 bytes each)."""

TestNames = tuple[str, str, str]
"""suite, classname, name."""


def ensure_project(connection: Connection, name: str) -> int:
    """Return the id of the project of that name; insert it when it is not there."""
    found = connection.execute(select(Project.id).where(Project.name == name)).scalar()
    if found is not None:
        return int(found)
    return int(connection.execute(insert(Project).values(name=name).returning(Project.id)).scalar_one())


class Writer:
    """Writes the artifacts of one project; use as a context manager.

    Ids of test cases and failures are kept in memory, and only once they are committed: a rolled back artifact must
    not leave an id behind that nobody has.
    """

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._bulk = bulk_for(engine.dialect.name)
        self._project = project
        self._tests: dict[TestNames, int] = {}
        self._without_file: set[int] = set()
        self._failures: dict[tuple[bytes, bytes], int] = {}

    def __enter__(self) -> Self:
        with self._database_errors():
            self._connection = self._engine.connect()
            if self._engine.dialect.name == "sqlite":
                # Every id written here was read or made in the same transaction: looking each up again in four
                # parent tables costs a third of the insert. The driver's connection, as a transaction would be late.
                driver = self._connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA foreign_keys = OFF")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(SQLAlchemyError):
            if self._engine.dialect.name == "sqlite":
                driver = self._connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA foreign_keys = ON")
        self._connection.close()

    @contextlib.contextmanager
    def artifact(self, run: RunRow, artifact: ArtifactRow) -> Iterator["ArtifactWriter"]:
        """Open the transaction of one artifact; committed at the end of the block, rolled back by any exception.

        Raises:
            DatabaseError: the database refused.
        """
        with self._database_errors():
            with self._connection.begin():
                project_id = self._locked_project()
                writer = ArtifactWriter(self, self._connection, self._bulk, project_id, run, artifact)
                yield writer
                writer.finish()
            self._keep(writer)

    def known_hashes(self) -> frozenset[bytes]:
        """Return the hashes of all artifacts of the project: what is not among them need not be looked up."""
        query = (
            select(Artifact.sha256)
            .join(Run, Run.id == Artifact.run_id)
            .join(Project, Project.id == Run.project_id)
            .where(Project.name == self._project)
        )
        with self._database_errors(), readonly(self._engine).connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def _locked_project(self) -> int:
        if self._connection.dialect.name == "postgresql":
            # Writers of one project take turns, as they do on SQLite: two that insert the same new tests in
            # different order would deadlock, and attempts are numbered after what the run has already.
            self._connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtext('flakehunter.ingest'), hashtext(:project))"),
                {"project": self._project},
            )
        return ensure_project(self._connection, self._project)

    def _keep(self, written: "ArtifactWriter") -> None:
        if len(self._tests) + len(written.new_tests) > _CACHE_LIMIT:
            self._tests.clear()
            self._without_file.clear()
        if len(self._failures) + len(written.new_failures) > _CACHE_LIMIT:
            self._failures.clear()
        self._tests.update(written.new_tests)
        self._without_file -= set(written.new_tests.values())
        self._without_file |= written.without_file
        self._failures.update(written.new_failures)

    def known_test(self, names: TestNames, *, has_file: bool) -> int | None:
        """Return the id of a committed test case, unless it still lacks the file that is now known."""
        found = self._tests.get(names)
        return None if found is None or (has_file and found in self._without_file) else found

    def known_failure(self, failure: FailureRow) -> int | None:
        """Return the id of a committed failure."""
        return self._failures.get((failure.fingerprint, failure.detail_hash))

    @property
    def project(self) -> str:
        """Name of the project."""
        return self._project

    @contextlib.contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            shown = shown_url(str(self._engine.url.render_as_string(hide_password=True)))
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise DatabaseError(
                f"cannot write to database {shown}: {reason}",
                url=shown,
                hint="what was ingested before is kept; mend the cause and run the same command again",
            ) from error


class ArtifactWriter:
    """One artifact inside its transaction; made by `Writer.artifact`.

    `known` says that the run has this content already: then nothing may be written, and `known_results` and
    `known_issues` tell what it brought.
    """

    def __init__(
        self, writer: Writer, connection: Connection, bulk: Bulk, project_id: int, run: RunRow, artifact: ArtifactRow
    ) -> None:
        self._writer, self._connection, self._bulk, self._project_id = writer, connection, bulk, project_id
        self.new_tests: dict[TestNames, int] = {}
        self.without_file: set[int] = set()
        self.new_failures: dict[tuple[bytes, bytes], int] = {}
        self.new_results = 0
        self.known_issues: list[IssueRow] = []
        self._artifact = artifact
        self._run = run
        self._started_at = run.started_at
        self._run_id, self._run_is_new = self._ensure_run(run.external_id)
        self._has_results = not self._run_is_new and self._run_has_results()
        self._has_log_results = self._has_results and artifact.kind != "log" and self._run_has_results("log")
        self.known = self._find_artifact()
        if not self.known:
            self._artifact_id = self._insert_artifact()

    def add(self, batch: Batch) -> None:
        """Insert a part of the file, of whatever kind the artifact is."""
        if batch.results:
            self._add_results(batch)
        for issue in batch.issues:
            self.add_issue(issue)
        if batch.events:
            self._add_events(batch.events)

    def add_issue(self, issue: IssueRow) -> None:
        """Record what is wrong with the file."""
        row = {"artifact_id": self._artifact_id, **issue._asdict()}
        self._connection.execute(insert(ArtifactIssue), [row])

    def started_at(self, moment: datetime | None) -> None:
        """Take the moment that the file tells as the run's start, when nobody gave another; the earliest one stays."""
        if self._run.started_at is None:
            self._started_at = moment

    def finish(self) -> None:
        """Write what is known only at the end of the file."""
        if not self.known and self._run.started_at is None and self._started_at is not None:
            earlier = (Run.started_at.is_(None)) | (Run.started_at > self._started_at)
            self._connection.execute(
                update(Run).where(Run.id == self._run_id, earlier).values(started_at=self._started_at)
            )

    def known_results(self) -> int:
        """Count the results that the known artifact brought."""
        query = select(func.count()).select_from(Result).where(Result.artifact_id == self._artifact_id)
        return int(self._connection.execute(query).scalar_one())

    def _ensure_run(self, external_id: str) -> tuple[int, bool]:
        """Find or insert the run; return its id and whether it is new."""
        run = self._run
        key = {
            "project_id": self._project_id,
            "provider": run.provider,
            "external_id": external_id,
            "workflow": run.workflow,
            "job": run.job,
            "attempt": run.attempt,
        }
        facts = {
            "commit_sha": run.commit,
            "branch": run.branch,
            "runner": run.runner,
            "os": run.os,
            "cpus": run.cpus,
            "started_at": run.started_at,
        }
        query = select(Run.id, *(getattr(Run, name) for name in facts)).filter_by(**key)
        found = self._connection.execute(query).mappings().first()
        if found is None:
            made = self._connection.execute(insert(Run).values(**key, **facts).returning(Run.id))
            return int(made.scalar_one()), True
        if run.commit and found["commit_sha"] not in ("", run.commit) and external_id == run.external_id:
            # One run has one commit: where ids begin anew at each commit, they do not name a run alone.
            return self._ensure_run(f"{external_id}@{run.commit[:12]}")
        missing = {name: value for name, value in facts.items() if value and not found[name]}
        if missing:
            self._connection.execute(update(Run).where(Run.id == found["id"]).values(**missing))
        return int(found["id"]), False

    def _run_has_results(self, kind: str | None = None) -> bool:
        query = select(Result.id).where(Result.run_id == self._run_id).limit(1)
        if kind is not None:
            query = query.join(Artifact, Artifact.id == Result.artifact_id).where(Artifact.kind == kind)
        return self._connection.execute(query).first() is not None

    def _highest_test_id(self) -> int:
        return int(self._connection.execute(select(func.coalesce(func.max(TestCase.id), 0))).scalar_one())

    def _find_artifact(self) -> bool:
        if self._run_is_new:
            return False
        query = select(Artifact.id).where(Artifact.run_id == self._run_id, Artifact.sha256 == self._artifact.sha256)
        found = self._connection.execute(query).scalar()
        if found is None:
            return False
        self._artifact_id = int(found)
        issues = select(ArtifactIssue.position, ArtifactIssue.reason, ArtifactIssue.rejected)
        rows = self._connection.execute(issues.where(ArtifactIssue.artifact_id == found).order_by(ArtifactIssue.id))
        self.known_issues = [IssueRow(*row) for row in rows]
        return True

    def _insert_artifact(self) -> int:
        row = self._artifact
        made = self._connection.execute(
            insert(Artifact)
            .values(
                run_id=self._run_id,
                sha256=row.sha256,
                path=row.path,
                kind=row.kind,
                format=row.format,
                size_bytes=row.size_bytes,
                ingested_at=utc_now(),
            )
            .returning(Artifact.id)
        )
        return int(made.scalar_one())

    def forget_refused(self) -> None:
        """Take a known artifact that was refused before out again, so that it can be read anew."""
        connection = self._connection
        connection.execute(ArtifactIssue.__table__.delete().where(ArtifactIssue.artifact_id == self._artifact_id))  # type: ignore[attr-defined]
        connection.execute(Artifact.__table__.delete().where(Artifact.id == self._artifact_id))  # type: ignore[attr-defined]
        self.known, self.known_issues = False, []
        self._artifact_id = self._insert_artifact()

    def set_format(self, name: str) -> None:
        """Write the dialect, which is known only after a look into the file."""
        self._connection.execute(update(Artifact).where(Artifact.id == self._artifact_id).values(format=name))

    def _add_results(self, batch: Batch) -> None:
        highest = self._highest_test_id() if self._has_results else 0
        ids = self._test_ids(batch.tests)
        made = {number for number in ids if number > highest} if self._has_results else set()
        failures = self._failure_ids(batch.failures)
        results = batch.results
        if self._has_results:
            if self._artifact.kind == "log":
                results = self._without_counted(results, ids)
            elif self._has_log_results:
                self._bulk.delete_results(self._connection, self._run_id, "log", sorted(set(ids)))
            # A test that this batch brings for the first time has no attempt before.
            before = self._bulk.max_attempts(self._connection, self._run_id, sorted(set(ids) - made))
        else:
            before = {}
        run_id, artifact_id = self._run_id, self._artifact_id
        rows: list[StoredResult]
        if before:
            rows = [
                (
                    ids[test],
                    run_id,
                    artifact_id,
                    attempt + before.get(ids[test], 0),
                    outcome,
                    duration,
                    failures[failure],
                )
                for test, attempt, outcome, duration, failure in results
            ]
        else:
            rows = [
                (ids[test], run_id, artifact_id, attempt, outcome, duration, failures[failure])
                for test, attempt, outcome, duration, failure in results
            ]
        if rows:
            self._bulk.insert_results(self._connection, rows)
            self._has_results = True
            self.new_results += len(rows)

    def _without_counted(self, results: Sequence[ResultRow], ids: Sequence[int]) -> list[ResultRow]:
        """Leave out what other artifacts of the run have said of the same tests, but for failed tries they do not show.

        vitest's JUnit file has one passed case for a test that passed at the second try; only the log tells of both.
        """
        query = (
            select(Result.test_case_id, Result.outcome, func.count())
            .where(Result.run_id == self._run_id)
            .group_by(Result.test_case_id, Result.outcome)
        )
        total: Counter[int] = Counter()
        bad: Counter[int] = Counter()
        for test, outcome, count in self._connection.execute(query):
            total[test] += count
            bad[test] += count if outcome.is_bad else 0
        kept, told = [], Counter(ids[row.test] for row in results)
        told_bad = Counter(ids[row.test] for row in results if Outcome(row.outcome).is_bad)
        missing = {
            test: min(told_bad[test] - bad[test], told[test] - total[test]) if test in total else told[test]
            for test in told
        }
        for row in results:
            test = ids[row.test]
            if missing[test] > 0 and (test not in total or Outcome(row.outcome).is_bad):
                missing[test] -= 1
                kept.append(row)
        return kept

    def _test_ids(self, tests: Sequence[CaseRow]) -> list[int]:
        tests = self._as_the_run_names_them(tests) if self._artifact.kind == "log" else tests
        ids: list[int | None] = []
        missing: dict[bytes, CaseRow] = {}
        places: list[tuple[int, bytes]] = []
        project, known, new = self._writer.project, self._writer.known_test, self.new_tests
        for test in tests:
            names = (test[0], test[1], test[2])
            found = known(names, has_file=bool(test[4]))
            if found is None:
                found = new.get(names)
            if found is None:
                key = TestIdentity(project, *names).key
                missing.setdefault(key, test)
                places.append((len(ids), key))
            ids.append(found)
        if missing:
            # In the order of the keys: the index is written from left to right, and every writer takes the same way.
            made = self._bulk.ensure_tests(self._connection, self._project_id, sorted(missing.items()))
            for key, test in missing.items():
                new[(test.suite, test.classname, test.name)] = made[key]
                if not test.file:
                    self.without_file.add(made[key])
            for place, key in places:
                ids[place] = made[key]
        return [number for number in ids if number is not None]

    def _as_the_run_names_them(self, tests: Sequence[CaseRow]) -> Sequence[CaseRow]:
        """Give tests of a log the suite that a JUnit file of the same run has for the same class and name."""
        suites = self._suites_of_run()
        return [test._replace(suite=suites.get((test.classname, test.name), test.suite)) for test in tests]

    def _suites_of_run(self) -> dict[tuple[str, str], str]:
        query = (
            select(TestCase.classname, TestCase.name, TestCase.suite)
            .where(TestCase.id.in_(select(Result.test_case_id).where(Result.run_id == self._run_id)))
            .order_by(TestCase.id.desc())
        )
        return {(row[0], row[1]): row[2] for row in self._connection.execute(query)}

    def _failure_ids(self, failures: Sequence[FailureRow]) -> dict[int | None, int | None]:
        ids: dict[int | None, int | None] = {None: None}
        missing: dict[tuple[bytes, bytes], FailureRow] = {}
        for place, failure in enumerate(failures):
            pair = (failure.fingerprint, failure.detail_hash)
            ids[place] = self._writer.known_failure(failure) or self.new_failures.get(pair)
            if ids[place] is None:
                missing.setdefault(pair, failure)
        if missing:
            made = self._bulk.ensure_failures(self._connection, [missing[pair] for pair in sorted(missing)])
            self.new_failures.update(made)
            for place, failure in enumerate(failures):
                if ids[place] is None:
                    ids[place] = made[(failure.fingerprint, failure.detail_hash)]
        return ids

    def _add_events(self, events: Sequence[EventRow]) -> None:
        wanted = {event.test for event in events if event.test is not None}
        tests = self._tests_by_name(wanted) if wanted else {}
        rows = [
            {
                "artifact_id": self._artifact_id,
                "run_id": self._run_id,
                "test_case_id": tests.get(event.test) if event.test else None,
                "line": event.line,
                "time": event.time,
                "kind": event.kind,
                "pid": event.pid,
                "text": event.text,
            }
            for event in events
        ]
        self._connection.execute(insert(LogEvent), rows)

    def _tests_by_name(self, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Find test cases by class and name: those of the run first, then any of the project."""
        of_project = select(TestCase.classname, TestCase.name, TestCase.id).where(
            TestCase.project_id == self._project_id, TestCase.name.in_({name for _, name in wanted})
        )
        of_run = of_project.where(TestCase.id.in_(select(Result.test_case_id).where(Result.run_id == self._run_id)))
        found = {(row[0], row[1]): int(row[2]) for row in self._connection.execute(of_run)}
        if not wanted <= set(found):
            rows = self._connection.execute(of_project.order_by(TestCase.id.desc()))
            found = {(row[0], row[1]): int(row[2]) for row in rows} | found
        return found
