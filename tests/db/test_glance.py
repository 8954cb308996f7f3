"""What a glance says of a database, against what opening it says."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from flakehunter.db.engine import open_database
from flakehunter.db.glance import seems_usable
from flakehunter.errors import DatabaseError


def test_a_database_of_ours_and_one_to_be_made_seem_usable(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a' / 'b' / 'x.db'}"
    assert seems_usable(url)
    assert not (tmp_path / "a").exists()
    open_database(url, create=True).dispose()
    assert seems_usable(url)


@pytest.mark.parametrize("kind", ["text", "older", "folder", "below a file"])
def test_what_cannot_be_opened_never_seems_usable(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    if kind == "text":
        path.write_text("no database at all")
    elif kind == "older":
        _make(path, "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0000')")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("")
        path = path / "y.db"
    url = f"sqlite:///{path}"
    assert not seems_usable(url)
    with pytest.raises(DatabaseError):
        open_database(url, create=True)


def test_a_database_with_tables_of_others_only_is_left_to_be_opened(tmp_path: Path) -> None:
    _make(tmp_path / "x.db", "CREATE TABLE mine (number INTEGER)")
    assert not seems_usable(f"sqlite:///{tmp_path / 'x.db'}")


def _make(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "postgresql+psycopg://h/n"]
)
def test_of_others_than_plain_files_nothing_is_said(url: str) -> None:
    assert not seems_usable(url)
