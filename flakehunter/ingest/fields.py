"""The fields that name a run where a user writes them: in a layout, in `runs.csv` and in `runs.jsonl`."""

import re
from collections.abc import Mapping
from datetime import datetime

from flakehunter.clock import as_utc
from flakehunter.db.rows import RunRow
from flakehunter.errors import UsageError

FIELDS = (
    "commit",
    "branch",
    "run_id",
    "attempt",
    "job",
    "workflow",
    "runner",
    "os",
    "cpus",
    "parallel",
    "time_limit",
    "provider",
    "started_at",
)


def run_of_fields(fields: Mapping[str, str | None]) -> RunRow:
    """Return the run that fields name; what is missing or empty is not known.

    Raises:
        UsageError: a number or a moment is none.
    """
    text = {name: (fields.get(name) or "").strip() for name in FIELDS}
    return RunRow(
        provider=text["provider"],
        external_id=text["run_id"],
        workflow=text["workflow"],
        job=text["job"],
        attempt=_number("attempt", text["attempt"]) or 1,
        commit=text["commit"],
        branch=text["branch"],
        runner=text["runner"],
        os=text["os"],
        cpus=_number("cpus", text["cpus"]),
        parallel=_number("parallel", text["parallel"]),
        time_limit_s=_seconds("time_limit", text["time_limit"]),
        started_at=_moment(text["started_at"]),
    )


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise UsageError(f"{name} {text!r} is not a number from 1 up", hint="write it like 2")
    return int(text)


def _seconds(name: str, text: str) -> float | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) or not float(text):
        raise UsageError(f"{name} {text!r} is not a number of seconds", hint="write it like 60 or 7.5")
    return float(text)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return as_utc(datetime.fromisoformat(text.replace("_", "T")))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a moment", hint="write it like 2026-05-01T12:00:00Z") from error
