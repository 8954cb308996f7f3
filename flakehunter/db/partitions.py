"""Monthly partitions of `results` on PostgreSQL: what they are called, and made where one is missing.

There is no default partition: each new one would have to lock it and so wait for whoever reads results. What has no
day lies in a range of its own before the first month.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from flakehunter.db.locks import creating_partition, second_connection

UNDATED_NAME = "results_undated"
"""Partition of results without a day."""

FIRST_DAY = date(2000, 1, 1)
"""Moments before are no moments: the zero of .NET (year 1), of Unix (1970) or of FAT (1980), for "not known"."""

CLOCK_SKEW = timedelta(days=31)
"""A run that begins later than this from now has a wrong clock."""

_MONTHLY = re.compile(r"results_(\d{4})_(\d{2})")
# Not to_regclass(): within a transaction it may still answer from what this connection knew at its beginning.
_IS_THERE = text(
    "SELECT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass('results') AND c.relname = :name)"
)
_CHILDREN = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass('results') ORDER BY c.relname"
)


@dataclass(frozen=True, slots=True)
class Partition:
    """One month of results: from `first` to the day before `until`."""

    name: str
    first: date
    until: date


def day_of(moment: datetime | None, now: datetime) -> date:
    """Return the day (UTC) under which results are filed whose run started at `moment`; `now` if that is unknown."""
    if moment is None or moment.date() < FIRST_DAY or moment > now + CLOCK_SKEW:
        moment = now
    return moment.date()


def month_of(day: date) -> Partition:
    """Return the partition of `day`."""
    first = day.replace(day=1)
    return Partition(f"results_{first:%Y_%m}", first, (first + timedelta(days=31)).replace(day=1))


def is_partition(name: str) -> bool:
    """Whether a table is a partition of `results`: models and migrations know the whole table only."""
    return name == UNDATED_NAME or _MONTHLY.fullmatch(name) is not None


def create_undated(connection: Connection) -> None:
    """Create the partition of results without a day."""
    connection.execute(
        text(f"CREATE TABLE {UNDATED_NAME} PARTITION OF results FOR VALUES FROM (MINVALUE) TO ('{FIRST_DAY}')")
    )


def ensure_partition(connection: Connection, day: date) -> None:
    """Make the partition of `day` where it is missing, for all to see at once, whatever becomes of the transaction.

    It is made empty and then attached, by a connection of its own: that takes no lock that a reader or writer of
    results has to wait for, unlike CREATE TABLE … PARTITION OF. Many may call this at once; all but one wait for the
    one that creates, without a further connection.
    """
    month = month_of(day)
    if connection.scalar(_IS_THERE, {"name": month.name}):
        return
    with creating_partition(connection):
        if connection.scalar(_IS_THERE, {"name": month.name}):
            return
        with second_connection(connection) as other:
            other.execute(text(f"CREATE TABLE {month.name} (LIKE results INCLUDING DEFAULTS)"))
            other.execute(
                text(
                    f"ALTER TABLE results ATTACH PARTITION {month.name}"
                    f" FOR VALUES FROM ('{month.first}') TO ('{month.until}')"
                )
            )


def monthly_partitions(connection: Connection) -> list[Partition]:
    """Return the partitions there are, oldest first, without that of results without a day."""
    found = [_MONTHLY.fullmatch(name) for name in connection.scalars(_CHILDREN)]
    return [month_of(date(int(name[1]), int(name[2]), 1)) for name in found if name is not None]
