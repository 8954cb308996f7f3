"""Builds databases with a known history, row by row."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from flakehunter.db.engine import open_database
from flakehunter.db.schema import Artifact, Failure, LogEvent, Project, Result, Run, TestCase
from flakehunter.model import LogEventKind, Outcome, TestIdentity
from tests.databases import url_at

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

STILL_ALIVE = (
    "AssertionError",
    "AssertionError: grandchild 4711 is still alive right after the abort\nassert not True",
    """job = <Job pid=4700>

    def test_abort():
        job = Job(["bash", "-c", "sleep 30 & echo $!; wait"])
        grandchild = int(job.first_line())
        job.abort()
>       assert not is_alive(grandchild), f"grandchild {grandchild} is still alive right after the abort"
E       AssertionError: grandchild 4711 is still alive right after the abort
E       assert not True
E        +  where True = is_alive(4711)

tests/test_abort.py:22: AssertionError""",
)
WRONG_SUM = ("AssertionError", "assert 3 == 4", ">       assert add(1, 2) == 4\nE       assert 3 == 4")

OUTCOMES = {"P": Outcome.PASSED, "F": Outcome.FAILED, "E": Outcome.ERRORED, "S": Outcome.SKIPPED}


class DatabaseBuilder:
    """Makes one project; every method adds rows and returns their ids."""

    def __init__(self, folder: Path, project: str = "default", url: str | None = None) -> None:
        self.url = url or url_at(folder / "test.db")
        self.engine = open_database(self.url, create=True)
        self.connection = self.engine.connect()
        self.project = project
        self.tests: dict[str, int] = {}
        self.artifacts: dict[int, int] = {}
        self.failures: dict[tuple[str, str, str], int] = {}
        self.run_count = 0
        statement = insert(Project).values(name=project).returning(Project.id)
        self.project_id: int = self.connection.execute(statement).scalar_one()

    def close(self) -> str:
        """Commit, dispose the engine and return the URL."""
        self.connection.commit()
        self.connection.close()
        self.engine.dispose()
        return self.url

    def run(self, commit: str, *, job: str = "linux", branch: str = "main", attempt: int = 1, **columns: object) -> int:
        """Add a run, each one later than the one before."""
        self.run_count += 1
        values = {
            "project_id": self.project_id,
            "external_id": str(columns.pop("external_id", self.run_count)),
            "job": job,
            "attempt": attempt,
            "commit_sha": commit,
            "branch": branch,
            "started_at": START + timedelta(hours=self.run_count),
        } | columns
        run = self.connection.execute(insert(Run).values(**values).returning(Run.id)).scalar_one()
        digest = hashlib.sha256(f"{self.project} {run}".encode()).digest()
        artifact = insert(Artifact).values(
            run_id=run, sha256=digest, path=f"runs/{run}/junit.xml", kind="junit", size_bytes=1, ingested_at=START
        )
        self.artifacts[run] = self.connection.execute(artifact.returning(Artifact.id)).scalar_one()
        return run

    def test(self, name: str, *, classname: str = "tests.test_it") -> int:
        """Return the id of a test case, added when it is new."""
        if name not in self.tests:
            identity = TestIdentity(self.project, "pytest", classname, name)
            row = {"key": identity.key, "suite": "pytest", "classname": classname, "name": name, "framework": "pytest"}
            statement = insert(TestCase).values(project_id=self.project_id, **row).returning(TestCase.id)
            self.tests[name] = self.connection.execute(statement).scalar_one()
        return self.tests[name]

    def failure(self, text: tuple[str, str, str]) -> int:
        """Return the id of a failure's text, added when it is new."""
        if text not in self.failures:
            words = "".join(character for character in text[1] if not character.isdigit())
            row = {
                "fingerprint": hashlib.md5(words.encode(), usedforsecurity=False).digest(),
                "detail_hash": hashlib.md5("\0".join(text).encode(), usedforsecurity=False).digest(),
            }
            statement = insert(Failure).values(type=text[0], message=text[1], detail=text[2], **row)
            self.failures[text] = self.connection.execute(statement.returning(Failure.id)).scalar_one()
        return self.failures[text]

    def result(
        self, run: int, name: str, letters: str, *, failure: tuple[str, str, str] = WRONG_SUM, duration_s: float = 0.1
    ) -> None:
        """Add the attempts of a test in a run, one letter each: P, F, E or S."""
        rows = [
            {
                "test_case_id": self.test(name),
                "run_id": run,
                "artifact_id": self.artifacts[run],
                "attempt": attempt,
                "outcome": OUTCOMES[letter],
                "duration_s": duration_s,
                "failure_id": self.failure(failure) if letter in "FE" else None,
            }
            for attempt, letter in enumerate(letters, start=1)
        ]
        self.connection.execute(insert(Result), rows)

    def event(self, run: int, name: str, line: int, text: str, kind: LogEventKind = LogEventKind.SIGNAL) -> None:
        """Add a log line of a test."""
        self.connection.execute(
            insert(LogEvent).values(
                artifact_id=self.artifacts[run],
                run_id=run,
                test_case_id=self.test(name),
                line=line,
                kind=kind,
                text=text,
            )
        )

    def commits(
        self,
        histories: dict[str, str],
        *,
        failure: tuple[str, str, str] = WRONG_SUM,
        job: str = "linux",
        branch: str = "main",
        healthy: int = 6,
    ) -> list[int]:
        """Add a run for each outcome: words are commits, letters are runs of that commit (`.`: not in that run).

        `healthy` tests that always pass run along, so that a failure of the others is no outage.
        """
        words = {name: history.split() for name, history in histories.items()}
        longest = max(map(len, words.values()))
        runs = []
        for index in range(longest):
            letters: Sequence[str] = [word[index] if index < len(word) else "" for word in words.values()]
            for place in range(max(map(len, letters))):
                run = self.run(f"c{index:03d}", job=job, branch=branch)
                runs.append(run)
                for name, outcomes in zip(words, letters, strict=True):
                    if place < len(outcomes) and outcomes[place] != ".":
                        self.result(run, name, outcomes[place], failure=failure)
                for number in range(healthy):
                    self.result(run, f"test_healthy_{number}", "P")
        return runs
