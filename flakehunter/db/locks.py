"""PostgreSQL's advisory locks: who takes turns with whom, where SQLite has but one writer at a time.

Jobs write at the same time, as long as each has a run of its own. What many of them bring (tests, texts of failures,
sets of properties) is inserted in short transactions, in the order of its keys: whoever brings the same waits for
milliseconds, and two never for each other. Locks are taken in this order, each with the one before or without: run,
rollup, partition. Where two transactions take locks of one kind in
different order, PostgreSQL ends one of them, and it is run again (`db.retry`).
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

SECOND_CONNECTIONS = 8
"""How many jobs may have a second connection at a time."""

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


_WRITING = 4607041
"""Key of the locks that tell from which artifact on somebody may be writing; any number that nobody else uses."""

_BEGIN = text(
    f"SELECT pg_advisory_xact_lock_shared({_WRITING}, ((last_value - (NOT is_called)::int) % 2147483648)::int)"
    " FROM artifacts_id_seq"
)
_FLOOR = text(
    f"SELECT min(objid::bigint) FROM pg_locks WHERE locktype = 'advisory' AND classid = {_WRITING} AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_RUNS = "SELECT pg_advisory_xact_lock(hashtext('flakehunter.run'), hashtext(name)) FROM unnest(%b::text[]) AS name"


def begin_writing(connection: Connection) -> None:
    """Tell that artifacts after the newest one may come from this transaction; nobody waits for that."""
    if connection.dialect.name == "postgresql":
        connection.execute(_BEGIN)


def settled(connection: Connection) -> int | None:
    """Return the artifact up to which nobody is writing any more; None where all that is seen is settled."""
    if connection.dialect.name != "postgresql":
        return None
    floor = connection.scalar(_FLOOR)
    return None if floor is None else int(floor)


def lock_runs(connection: Connection, names: Iterable[tuple[object, ...]]) -> None:
    """Be the only one to write runs, of these names: their attempts are numbered after what they have already."""
    if connection.dialect.name == "postgresql":
        # In the same order by all, or two jobs with the same runs could wait for each other.
        connection.exec_driver_sql(_RUNS, (sorted(map(repr, names)),))


@contextmanager
def apart(connection: Connection) -> Iterator[Connection]:
    """Give a short transaction on a connection of its own, committed at once: nobody waits for the end of ours.

    A server has a hundred connections, and there may be as many jobs: so few have a second one at a time.
    """
    place = random.randrange(SECOND_CONNECTIONS)
    with _of_session(connection, f"hashtext('flakehunter.apart'), {place}"), second_connection(connection) as other:
        yield other


@contextmanager
def second_connection(connection: Connection) -> Iterator[Connection]:
    """Give a transaction on another connection, which is closed at its end: the pool would keep it."""
    with connection.engine.connect() as other:
        other.detach()
        with other.begin():
            yield other


def try_rollup(connection: Connection, project: str) -> bool:
    """Whether this transaction alone may roll up the project; True on SQLite, where it is the only one anyway."""
    return connection.dialect.name != "postgresql" or bool(connection.scalar(_TRY_ROLLUP, {"project": project}))


@contextmanager
def rollups_held(connection: Connection) -> Iterator[None]:
    """Keep everybody else from making rollups, over several transactions of this connection; PostgreSQL only."""
    with _of_session(connection, _ANY_ROLLUP):
        connection.commit()
        yield
    connection.commit()


@contextmanager
def creating_partition(connection: Connection) -> Iterator[None]:
    """Be the only one to make a partition; not to the end of the transaction, which may be long; PostgreSQL only."""
    with _of_session(connection, "hashtext('flakehunter.partitions')"):
        yield


@contextmanager
def _of_session(connection: Connection, key: str) -> Iterator[None]:
    """Hold a lock that a commit leaves alone."""
    connection.execute(text(f"SELECT pg_advisory_lock({key})"))
    try:
        yield
    except BaseException:
        # In a transaction that has failed no statement can give it back; the end of the connection does.
        connection.invalidate()
        raise
    connection.execute(text(f"SELECT pg_advisory_unlock({key})"))
