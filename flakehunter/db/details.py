"""What an artifact tells beside its results: log lines that matter, and properties."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.engine import Connection

from flakehunter.db.bulk import Bulk, Origin
from flakehunter.db.rows import Entries, EventRow, PropertyRow
from flakehunter.db.schema import Artifact, LogEvent, Result, TestCase
from flakehunter.db.shared import property_set

_OF_RUN = select(Artifact.id).where(Artifact.run_id == bindparam("run_id"))
_TESTS_OF_RUN = select(Result.test_case_id).where(Result.artifact_id.in_(_OF_RUN))
_PROPERTY = text(
    "INSERT INTO properties (artifact_id, test_case_id, attempt, suite, set_id)"
    " SELECT :artifact_id, CAST(:test_case_id AS BIGINT), CAST(:attempt AS INTEGER), CAST(:suite AS TEXT), id"
    " FROM property_sets WHERE hash = :hash"
)


def add_events(connection: Connection, project_id: int, origin: Origin, events: Sequence[EventRow]) -> None:
    """Insert log lines, each tied to the test that it belongs to where that is in the database."""
    wanted = {event.test for event in events if event.test is not None}
    tests = _tests_by_name(connection, project_id, origin.run_id, wanted) if wanted else {}
    rows = [
        {
            "artifact_id": origin.artifact_id,
            "run_id": origin.run_id,
            "test_case_id": tests.get(event.test) if event.test else None,
            "line": event.line,
            "time": event.time,
            "kind": event.kind,
            "pid": event.pid,
            "text": event.text,
        }
        for event in events
    ]
    connection.execute(insert(LogEvent), rows)


def add_properties(
    connection: Connection,
    bulk: Bulk,
    origin: Origin,
    properties: Sequence[PropertyRow],
    ids: Sequence[int],
    before: dict[int, int],
) -> None:
    """Insert properties; `ids` are those of the batch's tests, `before` the attempts that the run had of them."""
    sets: dict[bytes, Entries] = {}
    rows = []
    for suite, test, attempt, pairs in properties:
        key, entries = property_set(pairs)
        sets[key] = entries
        test_id = None if test is None else ids[test]
        rows.append(
            {
                "artifact_id": origin.artifact_id,
                "test_case_id": test_id,
                "attempt": None if attempt is None or test_id is None else attempt + before.get(test_id, 0),
                "suite": suite,
                "hash": key,
            }
        )
    bulk.ensure_properties(connection, sets)
    connection.execute(_PROPERTY, rows)


def _tests_by_name(
    connection: Connection, project_id: int, run_id: int, wanted: set[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Find test cases by class and name: those of the run first, then any of the project."""
    of_project = select(TestCase.classname, TestCase.name, TestCase.id).where(
        TestCase.project_id == project_id, TestCase.name.in_({name for _, name in wanted})
    )
    of_run = of_project.where(TestCase.id.in_(_TESTS_OF_RUN))
    found = {(row[0], row[1]): int(row[2]) for row in connection.execute(of_run, {"run_id": run_id})}
    if not wanted <= set(found):
        rows = connection.execute(of_project.order_by(TestCase.id.desc()))
        found = {(row[0], row[1]): int(row[2]) for row in rows} | found
    return found
