"""Do a transaction once more when the server went away in it, or gave way to another: nothing of it was committed.

Or all of it was, and the answer was lost: whoever writes finds its own artifacts then, and adds nothing.
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from flakehunter.errors import DatabaseError

PATIENCE_S = 60.0
"""How long a server may be away: a restart with recovery takes seconds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0

TRANSIENT = frozenset(
    {
        "23514",  # check_violation: a month's partition was dropped after it was looked for
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "53300",  # too_many_connections
        "55P03",  # lock_not_available
        "57P01",  # admin_shutdown, and pg_terminate_backend
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now: it is starting up
    }
)
"""SQLSTATE codes (PostgreSQL manual, appendix A) of what another try may not meet; and all of class 08, connections."""

T = TypeVar("T")


def is_busy(error: BaseException | None) -> bool:
    """Whether a server is there, but has no connection left or is just starting: psycopg gives no code for either."""
    text = str(error)
    return "too many clients" in text or "remaining connection slots" in text or "is starting up" in text


def persistently(
    step: Callable[[], T], *, of: Callable[[DatabaseError], bool] | None = None, patience_s: float = PATIENCE_S
) -> T:
    """Return what `step` returns; call it again, with growing pauses, while its error is a passing one of PostgreSQL.

    `of` says which errors pass, by default those of `is_transient`.

    Raises:
        DatabaseError: it fails for another reason, or still after `patience_s` seconds.
    """
    end = time.monotonic() + patience_s
    for tries, pause_s in enumerate(_pauses(), start=1):
        try:
            return step()
        except DatabaseError as error:
            if not (of or is_transient)(error) or time.monotonic() + pause_s > end:
                if tries > 1:
                    error.message += f" (tried {tries} times)"
                raise
        time.sleep(pause_s)
    raise AssertionError("the pauses never end")


def is_transient(error: BaseException | None) -> bool:
    """Whether the same transaction may well succeed when it is run again: the connection was lost, or another came."""
    while error is not None:
        if isinstance(error, DBAPIError):
            state = str(getattr(error.orig, "sqlstate", None) or "")
            no_server = isinstance(error, OperationalError) and not state and hasattr(error.orig, "sqlstate")
            return error.connection_invalidated or no_server or state in TRANSIENT or state.startswith("08")
        error = error.__cause__
    return False


def _pauses() -> Iterator[float]:
    """Yield seconds, each about twice as long as the one before; not the same for all who wait for one server."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
