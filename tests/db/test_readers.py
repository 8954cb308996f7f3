"""A role that was granted to read can report and detect, and cannot write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from flakehunter.cli.app import main
from flakehunter.ingest.pipeline import IngestOptions, ingest
from tests.databases import Server

pytestmark = pytest.mark.needs("postgres")
XML = '<testsuite name="s" timestamp="2026-0{}-01T10:00:00"><testcase classname="C" name="t" time="0.1"/></testsuite>'


@pytest.fixture
def reader(postgres_server: Server, postgres_database: str, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a filled database for a new role, to which nothing has been granted yet."""
    (tmp_path / "a.xml").write_text(XML.format(1))
    ingest([tmp_path / "a.xml"], postgres_database, IngestOptions())
    role = f"Reader of {make_url(postgres_database).database}"
    postgres_server.run(f'CREATE ROLE "{role}" LOGIN')
    yield make_url(postgres_database).set(username=role).render_as_string()
    postgres_server.drop(postgres_database)
    postgres_server.run(f'DROP ROLE "{role}"')


def role_of(url: str) -> str:
    return str(make_url(url).username)


def test_who_may_read_can_report_and_detect(
    reader: str, postgres_database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "grant-read", role_of(reader), "--db", postgres_database]) == 0
    assert "can read all tables, and write none" in capsys.readouterr().err
    # A partition that is made later is read too.
    (tmp_path / "b.xml").write_text(XML.format(2))
    ingest([tmp_path / "b.xml"], postgres_database, IngestOptions())
    assert main(["detect", "--db", reader, "--no-store", "--all", "--json"]) == 0
    assert '"name": "t"' in capsys.readouterr().out
    assert main(["show", "t", "--db", reader]) == 0
    assert main(["report", "--db", reader, "-o", str(tmp_path / "site")]) == 0
    assert "this role only reads" in capsys.readouterr().err
    assert (tmp_path / "site" / "index.html").exists()


@pytest.mark.parametrize(
    "words", [["detect"], ["ingest", "c.xml"], ["db", "prune", "--keep", "1d"]], ids=["detect", "ingest", "prune"]
)
def test_who_may_read_cannot_write(
    reader: str,
    words: list[str],
    postgres_database: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["db", "grant-read", role_of(reader), "--db", postgres_database]) == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.xml").write_text(XML.format(3))
    assert main([*words, "--db", reader]) == 5
    error = capsys.readouterr().err
    assert "permission denied" in error
    assert "hint: " in error
    assert "Traceback" not in error
    assert "internal error" not in error


def test_without_a_grant_nothing_is_read(reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", reader, "--no-store"]) == 5
    assert "permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("role", "file", "message"), [("nobody", False, "no role 'nobody'"), ("x", True, "is a file")], ids=["role", "file"]
)
def test_what_cannot_be_granted_is_one_line(
    role: str,
    file: bool,
    message: str,
    reader: str,
    postgres_database: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    db = postgres_database
    if file:
        db = str(tmp_path / "a.db")
        ingest([tmp_path / "a.xml"], f"sqlite:///{db}", IngestOptions())
    assert main(["db", "grant-read", role, "--db", db]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "hint: " in error
