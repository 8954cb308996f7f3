"""Opening a database: first use by many at once, and what users get wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from flakehunter.config import database_url
from flakehunter.db.engine import open_database
from flakehunter.errors import DatabaseError, NothingToDoError

OPEN = """
import sys
from flakehunter.db.engine import open_database
sys.stdin.read(1)
open_database(sys.argv[1], create=True).dispose()
"""


def test_many_processes_make_one_database(empty_database: str) -> None:
    starters = [
        subprocess.Popen([sys.executable, "-c", OPEN, empty_database], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdin
        starter.stdin.write(b"x")
        starter.stdin.flush()
    errors = [starter.communicate()[1].decode() for starter in starters]
    assert errors == [""] * len(starters)
    open_database(empty_database).dispose()


def test_no_database_yet_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match="there is no database at") as caught:
        open_database(f"sqlite:///{tmp_path / 'none.db'}")
    assert "flakehunter ingest" in (caught.value.hint or "")


def test_a_server_without_tables_is_nothing_to_do(empty_database: str) -> None:
    open_database(empty_database, create=True, check=False).dispose()
    with pytest.raises(NothingToDoError):
        open_database(empty_database)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nosuch://host/name", "cannot use database"),
        ("postgresql+psycopg://ci:secret@127.0.0.1:1/name", "cannot open database"),
        ("sqlite:////proc/flakehunter.db", "cannot open database"),
    ],
    ids=["dialect", "refused", "read-only"],
)
def test_a_database_that_cannot_be_opened_is_one_clear_error(url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        open_database(url, create=True)
    assert "secret" not in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("option", "environment", "url"),
    [
        ("ci.db", None, "sqlite:///{cwd}/ci.db"),
        (None, None, "sqlite:///{cwd}/.flakehunter/flakehunter.db"),
        (None, "env.db", "sqlite:///{cwd}/env.db"),
        ("postgres://u@h/n", "env.db", "postgresql+psycopg://u@h/n"),
        ("postgresql://u@h/n", None, "postgresql+psycopg://u@h/n"),
    ],
)
def test_database_url_takes_paths_and_urls(
    option: str | None, environment: str | None, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if environment:
        monkeypatch.setenv("FLAKEHUNTER_DB", environment)
    assert database_url(option) == url.format(cwd=tmp_path)
