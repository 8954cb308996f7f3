"""Fixtures for all tests: databases, tools that may be missing, and a guard against left-over processes."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent


def _has_postgres() -> bool:
    return bool(os.environ.get("FLAKEHUNTER_TEST_POSTGRES")) or bool(_postgres_bin())


def _postgres_bin() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


TOOLS = {
    "node": lambda: bool(shutil.which("node")) and (ROOT / "sample_data/project/node_modules/vitest").is_dir(),
    "java": lambda: bool(shutil.which("java")),
    "strace": lambda: bool(shutil.which("strace")),
    "stress-ng": lambda: bool(shutil.which("stress-ng")),
    "go": lambda: bool(shutil.which("go")),
    "wine": lambda: bool(shutil.which("wine64") or shutil.which("wine")),
    "postgres": _has_postgres,
    "systemd": lambda: Path("/lib/systemd/systemd").exists() and bool(shutil.which("systemd-run")),
    "chromium": lambda: bool(shutil.which("chromium")),
}


def pytest_configure() -> None:
    """Undo what the starter of the tests has set and what they start would inherit.

    A shell starts background jobs with SIGINT ignored: Ctrl-C has to work. And where no bytecode may be written, each
    of the many commands that tests start would compile all that it imports.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out tests whose tool is missing, by name; in CI that is a failure."""
    for marker in item.iter_markers("needs"):
        tool = marker.args[0]
        if not TOOLS[tool]():
            if os.environ.get("CI"):
                pytest.fail(f"{tool} is not on this machine, and nothing may be left out in CI", pytrace=False)
            pytest.skip(f"needs {tool}, which is not on this machine")


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail a test that leaves a child process behind."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    if left:
        described = [f"{child.pid} {child.status()} {' '.join(child.cmdline())}" for child in left]
        for child in left:
            child.kill()
        psutil.wait_procs(left, timeout=5)
        pytest.fail(f"processes left behind: {described}", pytrace=False)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's CI variables and flakehunter settings out of the tests."""
    for name in list(os.environ):
        if name.startswith(("FLAKEHUNTER_", "GITHUB_", "GITLAB_", "CI_")) and name != "FLAKEHUNTER_TEST_POSTGRES":
            monkeypatch.delenv(name)
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a PostgreSQL server of our own and give its URL without a database name."""
    given = os.environ.get("FLAKEHUNTER_TEST_POSTGRES")
    if given:
        yield given.rstrip("/")
        return
    programs = _postgres_bin()
    assert programs is not None
    # Not below pytest's own folder, which is closed to other users: the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="flakehunter-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = folder / "data"
    run = [*as_user, "env", "-C", str(folder), "LC_ALL=C"]
    subprocess.run(
        [*run, programs / "initdb", "-D", data, "-E", "UTF8", "-A", "trust", "-U", "flakehunter", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    control = [*run, programs / "pg_ctl", "-D", data, "-w", "-s"]
    subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], check=True)
    try:
        yield f"postgresql+psycopg://flakehunter@/{{name}}?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without tables, on each server kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return request.getfixturevalue("postgres_database")


@pytest.fixture
def postgres_database(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a new, empty PostgreSQL database."""
    from sqlalchemy import create_engine, text

    name = f"test_{abs(hash(request.node.nodeid)):x}"
    server = create_engine(postgres_server.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres_server.format(name=name)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
