"""The one source of wall-clock time, always aware and in UTC."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.now(tz=UTC)


def as_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; a moment without a zone is taken to be UTC, as CI servers write it."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
