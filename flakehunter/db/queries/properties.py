"""The properties and attachments of a test, and of the suites and files around it."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from flakehunter.db.schema import Artifact, Property, PropertySet, Result, TestCase

RUNS = 20
"""Newest runs of a test whose properties are read."""


@dataclass(frozen=True, slots=True)
class PropertyEntry:
    """One property as it stands in a run; an `attachment` is the path of a file."""

    run_id: int
    attempt: int | None
    """None for a property of the test's suite, or of the whole file."""
    name: str
    value: str


def properties_of_test(connection: Connection, test_id: int) -> list[PropertyEntry]:
    """Return the properties of a test in its newest runs, newest run first, and of its suite in the newest one.

    The suite's are those of the artifacts that brought results of the test: of the suite of its name, and of the file.
    """
    newest = select(Result.run_id).where(Result.test_case_id == test_id).distinct()
    runs = list(connection.execute(newest.order_by(Result.run_id.desc()).limit(RUNS)).scalars())
    artifacts = select(Result.artifact_id).where(Result.test_case_id == test_id, Result.run_id.in_(runs))
    suite = select(TestCase.suite).where(TestCase.id == test_id).scalar_subquery()
    of_suite = and_(Property.test_case_id.is_(None), or_(Property.suite == suite, Property.suite == ""))
    query = (
        select(Artifact.run_id, Property.attempt, Property.id, PropertySet.entries, Property.test_case_id)
        .join(Artifact, Artifact.id == Property.artifact_id)
        .join(PropertySet, PropertySet.id == Property.set_id)
        .where(Property.artifact_id.in_(artifacts), or_(Property.test_case_id == test_id, of_suite))
    )
    rows = sorted(
        (row for row in connection.execute(query) if row.test_case_id is not None or row.run_id == max(runs)),
        key=lambda row: (-row.run_id, row.test_case_id is None, row.attempt or 0, row.id),
    )
    return [PropertyEntry(row.run_id, row.attempt, name, value) for row in rows for name, value in row.entries]
