"""PostgreSQL's advisory locks: who takes turns with whom, where SQLite has but one writer at a time.

Taken in this order, each with the one before or without: ingest (in `db.write`), rollup, partitions.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

_ANY_ROLLUP = "hashtext('flakehunter.rollup')"
_TRY_ROLLUP = text(
    f"SELECT pg_try_advisory_xact_lock_shared({_ANY_ROLLUP})"
    f" AND pg_try_advisory_xact_lock({_ANY_ROLLUP}, hashtext(:project))"
)
KEEP_ROLLUPS_OF_RUN = (
    f"SELECT pg_advisory_xact_lock_shared({_ANY_ROLLUP}),"
    f" pg_advisory_xact_lock_shared({_ANY_ROLLUP}, hashtext(p.name))"
    " FROM projects p JOIN runs r ON r.project_id = p.id WHERE r.id = %s"
)
"""Wait until nobody rolls up the project of a run, and keep others from it to the end of the transaction.

For the driver. Whoever deletes results would else miss the rollup that is about to hold them.
"""


def try_rollup(connection: Connection, project: str) -> bool:
    """Whether this transaction alone may roll up the project; True on SQLite, where it is the only one anyway."""
    return connection.dialect.name != "postgresql" or bool(connection.scalar(_TRY_ROLLUP, {"project": project}))


@contextmanager
def rollups_held(connection: Connection) -> Iterator[None]:
    """Keep everybody else from making rollups, over several transactions of this connection; PostgreSQL only."""
    connection.execute(text(f"SELECT pg_advisory_lock({_ANY_ROLLUP})"))
    connection.commit()
    try:
        yield
    finally:
        # A connection that was lost has given its locks back.
        if not connection.invalidated:
            connection.execute(text(f"SELECT pg_advisory_unlock({_ANY_ROLLUP})"))
            connection.commit()


@contextmanager
def creating_partition(connection: Connection) -> Iterator[None]:
    """Be the only one to make a partition; not to the end of the transaction, which may be long; PostgreSQL only."""
    connection.execute(text("SELECT pg_advisory_lock(hashtext('flakehunter.partitions'))"))
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(hashtext('flakehunter.partitions'))"))
