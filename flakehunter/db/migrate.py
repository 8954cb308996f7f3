"""Run the migrations of alembic/ on a database."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from flakehunter.db.engine import (
    HEAD_REVISION,
    REVISIONS,
    current_revision,
    open_database,
    readonly,
    shown_url,
    unknown_revision,
)
from flakehunter.errors import DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config


def migrations_folder() -> Path:
    """Return the folder of the migrations: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_migrations"
    return inside if inside.is_dir() else package.parent / "alembic"


def database_revision(url: str) -> str | None:
    """Return the revision of the database at `url`, or None for an empty one.

    Raises:
        NothingToDoError, DatabaseError: as `open_database`.
    """
    engine = open_database(url, check=False)
    try:
        return _revision(engine, url)
    finally:
        engine.dispose()


def upgrade(url: str, revision: str = "head") -> tuple[str | None, str]:
    """Bring the database at `url` to `revision`; return the revisions before and after.

    Raises:
        DatabaseError: it cannot be opened, is newer than this version, or a migration failed.
    """
    from alembic import command

    engine = open_database(url, create=True, check=False)
    try:
        before = _revision(engine, url)
        if before is not None and before not in REVISIONS:
            raise unknown_revision(before, shown_url(url))
        _migrate(engine, url, lambda config: command.upgrade(config, revision))
        return before, _revision(engine, url) or HEAD_REVISION
    finally:
        engine.dispose()


def downgrade(url: str, revision: str) -> None:
    """Take the database at `url` back to `revision` (`base` drops every table).

    Raises:
        DatabaseError: it cannot be opened, or a migration failed.
    """
    from alembic import command

    engine = open_database(url, check=False)
    try:
        _migrate(engine, url, lambda config: command.downgrade(config, revision))
    finally:
        engine.dispose()


def _revision(engine: Engine, url: str) -> str | None:
    try:
        with readonly(engine).connect() as connection:
            return current_revision(connection)
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        shown = shown_url(url)
        raise DatabaseError(
            f"cannot open database {shown}: {cause}", url=shown, hint="give one that can be reached with --db"
        ) from error


def _migrate(engine: Engine, url: str, step: "Callable[[Config], None]") -> None:
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config)
    except (SQLAlchemyError, CommandError) as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise DatabaseError(
            f"migration of {shown_url(url)} failed and was rolled back: {cause}",
            url=shown_url(url),
            hint="back the database up and report this",
        ) from error
