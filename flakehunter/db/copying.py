"""Results in the binary form of PostgreSQL's COPY, kept until there are enough of them for one.

The form is PostgreSQL's own ("COPY", File Formats, Binary Format): a header, rows of a count of fields and each field
with its length before it, all big-endian, and a trailer. The server takes numbers as they are, where text has to be
read; and one COPY for a hundred files opens the table, its partition and their indexes once.
"""

import struct
from collections.abc import Sequence
from datetime import date

COLUMNS = "test_case_id, run_id, artifact_id, attempt, outcome, duration_s, failure_id, day"

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_FIELDS = 8
_IDS = struct.Struct(">h iq iq iq ii")
_FLOAT, _ID, _DAY = struct.Struct(">id"), struct.Struct(">iq"), struct.Struct(">ii")
_NULL = struct.pack(">i", -1)
_FIRST_DAY = date(2000, 1, 1)
"""Day 0 of PostgreSQL's dates."""


class CopiedRows:
    """Rows of results that wait for a COPY, and in which months they are."""

    def __init__(self) -> None:
        self._parts: list[bytes | bytearray] = []
        self.size = 0
        """Bytes so far."""
        self.rows = 0
        self.days: set[date] = set()
        """A day of each month."""

    def add(self, results: Sequence[tuple[int, int, int, int, str, float | None, int | None]], day: date) -> None:
        """Add results: `bulk.StoredResult`."""
        end = _day(day)
        self.rows += len(results)
        for test, run, artifact, attempt, outcome, duration, failure in results:
            word = outcome.encode()
            self._parts += (
                _IDS.pack(_FIELDS, 8, test, 8, run, 8, artifact, 4, attempt),
                struct.pack(">i", len(word)) + word,
                _NULL if duration is None else _FLOAT.pack(8, duration),
                _NULL if failure is None else _ID.pack(8, failure),
                end,
            )
            self.size += _IDS.size + len(word) + 32
        self.days.add(day.replace(day=1))

    def add_passes(self, run: int, artifact: int, day: date, tests: Sequence[int], durations: Sequence[float]) -> None:
        """Add first attempts that passed; their rows differ in two numbers, which are put in place all at once."""
        # numpy is not for those who write to SQLite.
        import numpy as np

        row = _pass(run, artifact, day)
        rows = bytearray(row * len(tests))
        for at, kind, values in ((_TEST_AT, ">i8", tests), (_DURATION_AT, ">f8", durations)):
            np.ndarray((len(tests),), kind, rows, at, (len(row),))[:] = values
        self._parts.append(rows)
        self.size += len(rows)
        self.rows += len(tests)
        self.days.add(day.replace(day=1))

    def document(self) -> bytes:
        """Return what COPY takes."""
        return b"".join((_HEADER, *self._parts, _TRAILER))


def _day(day: date) -> bytes:
    return _DAY.pack(4, (day - _FIRST_DAY).days)


_TEST_AT, _DURATION_AT = 6, _IDS.size + 10 + 4
"""Where these two stand in the row of a pass."""


def _pass(run: int, artifact: int, day: date) -> bytes:
    """Return the row of a pass; its test and duration are still to be put in place."""
    word = struct.pack(">i", 6) + b"passed"
    return _IDS.pack(_FIELDS, 8, 0, 8, run, 8, artifact, 4, 1) + word + _FLOAT.pack(8, 0.0) + _NULL + _day(day)
