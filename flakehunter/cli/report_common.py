"""What `flakehunter report` and its `--diff` share: databases, days, and where a text goes."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter import console
from flakehunter.clock import as_utc, utc_now
from flakehunter.config import database_url
from flakehunter.errors import NothingToDoError, UsageError
from flakehunter.model import SCHEMA_VERSION

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = "now"
"""The state of the database as it is, for `--diff`."""


def write_diff(before: str, after: str, *, url: str, project: str | None, as_json: bool, output: Path | None) -> None:
    """Write what changed between two databases, or between two moments of the one at `url`."""
    from flakehunter.report.document import changes_document
    from flakehunter.report.markdown import render_changes
    from flakehunter.report.site import differences

    with as_it_was(before, url, project) as old, as_it_was(after, url, project) as new:
        changes = differences(old, new, project=project)
    if as_json:
        put(json.dumps({"schema_version": SCHEMA_VERSION, **changes_document(changes)}, indent=2), output)
    else:
        put(render_changes(changes), output)


@contextmanager
def as_it_was(text: str, url: str, project: str | None) -> "Iterator[Engine]":
    """Open the database that `text` names, or a copy of the one at `url` as it was on the day that `text` is.

    The copy is judged anew, by today's rules: the verdicts of then are not kept.
    """
    is_day = text == NOW or re.fullmatch(r"\d{4}-\d\d-\d\d.*|\d{1,5}[dw]", text) is not None
    if not is_day or Path(text).exists():
        with opened(database_url(text)) as engine:
            yield engine
        return
    if text == NOW:
        with opened(url) as engine:
            yield engine
        return
    from flakehunter.db.snapshot import copy_until
    from flakehunter.detect.assess import detect

    moment = end_of(text)
    with tempfile.TemporaryDirectory(prefix="flakehunter-diff-") as folder:
        path = Path(folder) / "then.db"
        with opened(url) as engine:
            copy_until(engine, path, moment)
        try:
            detect(f"sqlite:///{path}", project=project)
        except NothingToDoError as error:
            raise NothingToDoError(f"there was no run yet at {text}", hint="give a later day with --diff") from error
        with opened(f"sqlite:///{path}") as engine:
            yield engine


@contextmanager
def opened(url: str) -> "Iterator[Engine]":
    """Open a database for as long as the block lasts."""
    from flakehunter.db.engine import open_database

    engine = open_database(url)
    try:
        yield engine
    finally:
        engine.dispose()


def put(text: str, output: Path | None) -> None:
    """Write a text to stdout, or to the file that the user named."""
    if output is None or str(output) == "-":
        console.write(text)
        return
    save(text, output)
    console.write(str(output))


def save(text: str, output: Path) -> None:
    """Write a text to a file that the user named."""
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {output}: {error.strerror}", hint="give a file that can be written with -o FILE"
        ) from error


def day_of(text: str, option: str = "--since") -> datetime:
    """Return the moment that a day means: its start in UTC, or so many days or weeks before now.

    Raises:
        UsageError: it is neither.
    """
    back = re.fullmatch(r"(\d{1,5})([dw])", text)
    if back:
        return utc_now() - timedelta(days=int(back[1]) * (7 if back[2] == "w" else 1))
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no day", hint="write 2026-11-02, or 30d or 8w back") from error


def end_of(text: str) -> datetime:
    """Return the moment up to which things had happened on a day: its end, where no time of day is given."""
    moment = day_of(text, "--diff")
    return moment + timedelta(days=1, microseconds=-1) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else moment
