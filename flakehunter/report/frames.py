"""The database as tidy pandas DataFrames: one row an observation, one column a variable, names instead of row ids."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flakehunter.config import database_url
from flakehunter.db.engine import open_database, readonly
from flakehunter.db.queries.projects import project_ids
from flakehunter.db.queries.tables import TABLES, read_table
from flakehunter.errors import NothingToDoError
from flakehunter.model import TestIdentity

if TYPE_CHECKING:
    import pandas as pd

FRAMES = tuple(TABLES)
"""Every frame, by the name of its attribute."""

MOMENTS = ("started_at", "finished_at", "ingested_at", "decided_at", "time")
WORDS = ("outcome", "verdict", "mechanism", "source", "kind")
"""Columns that may hold words of `flakehunter.model`; frames hold their text."""


def load(db: str | Path | None = None, *, project: str | None = None) -> "History":
    """Open a database for reading: a path or a URL, else `FLAKEHUNTER_DB`, else the default file.

    With `project`, only its rows. Frames are read when they are first asked for, and kept.

    Raises:
        NothingToDoError: there is no database, or no such project in it.
        DatabaseError: it cannot be opened, or is of another revision.
    """
    url = database_url(None if db is None else str(db))
    engine = open_database(url)
    try:
        with readonly(engine).connect() as connection:
            known = project_ids(connection)
    finally:
        engine.dispose()
    if project is not None and project not in known:
        raise NothingToDoError(
            f"there is no project {project!r} in the database", hint="known projects: " + ", ".join(known)
        )
    return History(url, project, tuple(known.values()) if project is None else (known[project],))


@dataclass(frozen=True)
class History:
    """The frames of a database; each attribute is a DataFrame that is read once.

    Tests are named by `test`, their label; `results`, `verdicts`, `findings` and `log_events` join on it. Runs are
    named by `run_id`. Moments are aware and in UTC, durations in seconds, rates in [0, 1].
    """

    url: str
    project: str | None
    _project_ids: tuple[int, ...] = field(repr=False)

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """One row an attempt of a job: commit, branch, job, attempt, runner, when it started."""
        return self._read("runs")

    @cached_property
    def artifacts(self) -> "pd.DataFrame":
        """One row an ingested file."""
        return self._read("artifacts")

    @cached_property
    def artifact_issues(self) -> "pd.DataFrame":
        """One row a thing that was wrong with a file."""
        return self._read("artifact_issues")

    @cached_property
    def _tests_by_id(self) -> "pd.DataFrame":
        frame = self._read("tests")
        names = [
            TestIdentity(*row)
            for row in zip(*(frame[part] for part in ("project", "suite", "classname", "name")), strict=True)
        ]
        frame.insert(0, "test", [name.label for name in names])
        frame.insert(1, "key", [name.key.hex() for name in names])
        return frame.set_index("test_id")

    @cached_property
    def tests(self) -> "pd.DataFrame":
        """One row a test case: its label, key, parts of its name, framework, file and line."""
        return self._tests_by_id.reset_index(drop=True)

    @cached_property
    def results(self) -> "pd.DataFrame":
        """One row an attempt of a test in a run, with commit, job and outcome; failures by their fingerprint."""
        frame = self._of_tests("results")
        runs = self.runs.set_index("run_id")
        for place, column in enumerate(("commit", "branch", "job", "run_attempt", "started_at"), start=2):
            frame.insert(place, column, frame["run_id"].map(runs[column]))
        fingerprints = self._failures_by_id["fingerprint"]
        frame["fingerprint"] = frame.pop("failure_id").map(fingerprints)
        frame["outcome"] = frame["outcome"].astype("category")
        return frame

    @cached_property
    def _failures_by_id(self) -> "pd.DataFrame":
        frame = self._read("failures")
        frame["fingerprint"] = [fingerprint.hex() for fingerprint in frame["fingerprint"]]
        return frame.set_index("failure_id")

    @cached_property
    def failures(self) -> "pd.DataFrame":
        """One row a different text of a failure; those of one kind share their fingerprint."""
        return self._failures_by_id.reset_index(drop=True)

    @cached_property
    def log_events(self) -> "pd.DataFrame":
        """One row a log line about signals, processes, kills, time-outs or jobs."""
        return self._of_tests("log_events")

    @cached_property
    def findings(self) -> "pd.DataFrame":
        """One row a piece of evidence that points at a mechanism."""
        return self._of_tests("findings")

    @cached_property
    def verdicts(self) -> "pd.DataFrame":
        """One row a test: what `detect` said last of it."""
        return self._of_tests("verdicts")

    @cached_property
    def experiments(self) -> "pd.DataFrame":
        """One row an invocation of `repro`, or a traced run."""
        return self._of_tests("experiments", place=1)

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row a trial of an experiment."""
        return self._read("trials")

    @cached_property
    def process_exits(self) -> "pd.DataFrame":
        """One row a process of a trial: how and when it ended."""
        return self._read("process_exits")

    def _of_tests(self, name: str, *, place: int = 0) -> "pd.DataFrame":
        """Return a frame with the label of the test in column `place`, instead of its row id."""
        import pandas as pd

        frame = self._read(name)
        known = self._tests_by_id
        labels = pd.Index(known["test"].unique())
        codes = labels.get_indexer(pd.Index(frame.pop("test_id").map(known["test"])))
        # A million rows share one text a test.
        texts: Any = pd.Categorical.from_codes(codes.tolist(), categories=labels)
        frame.insert(place, "test", texts)
        return frame

    def _read(self, name: str) -> "pd.DataFrame":
        import pandas as pd

        columns = TABLES[name].columns
        engine = open_database(self.url)
        try:
            with readonly(engine).connect() as connection:
                rows = read_table(connection, name, self._project_ids)
        finally:
            engine.dispose()
        frame = pd.DataFrame(rows, columns=list(columns))
        for column, source in columns.items():
            kind = source.type.python_type
            if kind is int and frame[column].isna().any():
                frame[column] = frame[column].astype("Int64")
            elif column in MOMENTS:
                frame[column] = pd.to_datetime(frame[column], utc=True)
            elif kind is float:
                frame[column] = frame[column].astype(float)
            elif column in WORDS:
                frame[column] = [None if word is None else str(word) for word in frame[column]]
        return frame
