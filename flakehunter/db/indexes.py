"""The index of results by test, which a first large ingest does without until somebody needs it.

What is said here of SQLite holds on PostgreSQL, too, where `db.filling` sees to it that nobody waits.

A row goes to the end of its table, and of its index by artifact, but to any place of an index by test. Sorted and
written at once, half a million entries take half of the time. Nothing but time depends on them: an ingest that is
killed leaves a database without, and the next one builds the index.
"""

from typing import cast

from sqlalchemy import Connection, Index, Table, func, select, text
from sqlalchemy.schema import CreateIndex, DropIndex

from flakehunter.db.schema import Result

MOST_WITHOUT = 5_000_000
"""Results from which on it is not left out: to build it takes some seconds then, and other writers wait."""

_RESULTS = cast("Table", Result.__table__)
_NEWEST = select(func.max(_RESULTS.c.id))
_THERE = {
    "sqlite": text("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = :name"),
    "postgresql": text(
        "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = to_regclass('results') AND c.relname = :name"
    ),
}


def index_by_test() -> Index:
    """Return what the schema says of the index."""
    return next(index for index in _RESULTS.indexes if index.columns.keys() == ["test_case_id", "run_id"])


def has_index_by_test(connection: Connection) -> bool:
    """Whether the index is there."""
    return connection.scalar(_THERE[connection.dialect.name], {"name": index_by_test().name}) is not None


def leave_out_index_by_test(connection: Connection) -> None:
    """On SQLite drop the index while there are no results, and build it again once there are very many.

    In the given transaction, before many results are written in it.
    """
    newest = connection.scalar(_NEWEST)
    if newest is None:
        connection.execute(DropIndex(index_by_test(), if_exists=True))
    elif newest > MOST_WITHOUT:
        build_index_by_test(connection)


def build_index_by_test(connection: Connection) -> None:
    """Build the index where it is missing, in the given transaction."""
    if not has_index_by_test(connection):
        connection.execute(CreateIndex(index_by_test()))
