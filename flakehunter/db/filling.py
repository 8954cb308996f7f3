"""The first large ingest into a PostgreSQL database, which does without the index of results by test.

To keep it costs a server as much as all else that it does with a result; sorted at the end, a fraction of that. While
it is missing, whoever fills the table holds a lock of its connection: then nobody else builds it. An ingest that is
killed loses the lock, and the next one builds the index. Where others are at work in the table, the index stays, or
stays away until they are done, and the last of them builds it. Of a fleet, the command holds the lock: its workers drop
the index, and build none.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import DropIndex

from flakehunter.db.indexes import MOST_WITHOUT, build_index_by_test, has_index_by_test, index_by_test
from flakehunter.db.locks import second_connection

WAIT = "5s"
"""How long the index waits for other writers, and so long others wait for it."""

_EMPTY = text("SELECT NOT EXISTS (SELECT FROM results)")
_ALONE = text("LOCK TABLE results IN ACCESS EXCLUSIVE MODE NOWAIT")
_KEY = "hashtext('flakehunter.filling')"
_TAKE_PART = text(f"SELECT pg_try_advisory_lock_shared({_KEY})")
_LEAVE = text(f"SELECT pg_advisory_unlock_shared({_KEY})")
_NOBODY_FILLS = text(f"SELECT pg_try_advisory_xact_lock({_KEY})")

_BUSY = frozenset(
    {
        "55P03",  # lock_not_available
        "40P01",  # deadlock_detected
        "42501",  # insufficient_privilege: tables and indexes are of another role
    }
)


class Filling:
    """One writer's part in it; at most once for each writer."""

    def __init__(self) -> None:
        self._asked = self._takes_part = False
        self.results = 0
        """Results that were inserted, by the writer or by others for it."""

    def go_on(self, connection: Connection, *, completes: bool = True) -> None:
        """Leave the index out while there are no results, and build it once there are very many.

        Before a transaction that will bring many. Who does not `completes` leaves the rest to somebody else, who does.
        """
        if not self._asked:
            self._asked = True
            self._begin(connection, completes=completes)
        elif self._takes_part and self.results > MOST_WITHOUT:
            self.end(connection)

    def _begin(self, connection: Connection, *, completes: bool) -> None:
        with connection.begin():
            # In this order: somebody else may be dropping it, and have filled the table when we have waited for that.
            if not connection.scalar(_EMPTY) and has_index_by_test(connection):
                return
            self._takes_part = completes and bool(connection.scalar(_TAKE_PART))
        if self._takes_part or not completes:
            # Not in the same transaction: two that have both looked would refuse the table to each other.
            with _unless_busy(), connection.begin():
                _drop(connection)

    def end(self, connection: Connection) -> None:
        """Build the index where it is missing, unless somebody else still does without; outside of a transaction."""
        with connection.begin():
            self._leave(connection)
            if has_index_by_test(connection):
                return
        with _unless_busy(), connection.begin():
            _build(connection)

    @contextmanager
    def ending(self, connection: Connection) -> Iterator[None]:
        """Build the index as `end` does, but on another connection, while the block has the server do something else.

        `end` is to come after it: what goes wrong there is done once more then, and told.
        """
        if not self._takes_part:
            yield
            return
        with connection.begin():
            self._leave(connection)
        with ThreadPoolExecutor(1, "index") as beside:
            beside.submit(_build_apart, connection)
            yield

    def _leave(self, connection: Connection) -> None:
        if self._takes_part:
            self._takes_part = False
            connection.execute(_LEAVE)


def _drop(connection: Connection) -> None:
    if not has_index_by_test(connection):
        return
    connection.execute(_ALONE)
    if connection.scalar(_EMPTY):
        connection.execute(DropIndex(index_by_test(), if_exists=True))


def _build(connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT}'"))
    if connection.scalar(_NOBODY_FILLS):
        build_index_by_test(connection)


def _build_apart(connection: Connection) -> None:
    with second_connection(connection) as other:
        _build(other)


@contextmanager
def _unless_busy() -> Iterator[None]:
    """Leave it to others where they are at work in the table, or where it is theirs."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _BUSY:
            raise
