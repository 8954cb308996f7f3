"""Fixtures for all tests: databases, tools that may be missing, and a guard against left-over processes."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import databases
from tests.databases import postgres_bin

try:
    import hypothesis
except ModuleNotFoundError:  # the Windows Python that runs a part of the tests under Wine has only what these need
    pass
else:
    # The suite tries the same examples each time, so that it fails for a change and not by chance; `make fuzz` tries
    # others.
    hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
    hypothesis.settings.register_profile("hunt", deadline=None)
    hypothesis.settings.load_profile("suite")

ROOT = Path(__file__).resolve().parent.parent


def _has_postgres() -> bool:
    return bool(os.environ.get("FLAKEHUNTER_TEST_POSTGRES")) or bool(postgres_bin())


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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch for the kind of database."""
    parser.addoption(
        "--database", choices=["sqlite", "postgresql"], default="sqlite", help="where tests keep their rows"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, leave out what is about SQLite."""
    if config.getoption("--database") == "sqlite":
        return
    about_sqlite = [item for item in items if item.get_closest_marker("sqlite") or "[sqlite" in item.name]
    config.hook.pytest_deselected(items=about_sqlite)
    items[:] = [item for item in items if item not in set(about_sqlite)]


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


def _end_and_describe(child: psutil.Process) -> str | None:
    """End what a test left, and say what it was: nothing where it is gone by now, or belongs to Python itself."""
    try:
        words = child.cmdline()
        # multiprocessing keeps it until the process that first spawned another one ends.
        if any("multiprocessing.resource_tracker" in word for word in words):
            return None
        described = f"{child.pid} {child.status()} {' '.join(words)}"
        child.kill()
    except psutil.NoSuchProcess:
        return None
    return described


def _processes_below() -> list[psutil.Process]:
    """Return all processes below this one."""
    if hasattr(os, "waitid"):
        try:  # one call instead of a look at each process of the machine, before and after each test
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return []
    return psutil.Process().children(recursive=True)


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail a test that leaves a child process behind."""
    before = {child.pid for child in _processes_below()}
    yield
    left = [child for child in _processes_below() if child.pid not in before]
    described = [what for child in left if (what := _end_and_describe(child)) is not None]
    if described:
        psutil.wait_procs(left, timeout=5)
        pytest.fail(f"processes left behind: {described}", pytrace=False)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's CI variables and flakehunter settings out of the tests."""
    for name in list(os.environ):
        if name.startswith(("FLAKEHUNTER_", "GITHUB_", "GITLAB_", "CI_")) and name != "FLAKEHUNTER_TEST_POSTGRES":
            monkeypatch.delenv(name)
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[databases.Server]:
    """Start a PostgreSQL server of our own."""
    with databases.running_server() as server:
        yield server


@pytest.fixture(autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let `databases.url_at` give what `--database` says, and drop it after the test."""
    if request.config.getoption("--database") == "postgresql":
        databases.use_server(request.getfixturevalue("postgres_server"))
    yield
    databases.remove_all()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without tables, on each server kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return request.getfixturevalue("postgres_database")


@pytest.fixture
def postgres_database(postgres_server: databases.Server) -> Iterator[str]:
    """Give the URL of a new, empty PostgreSQL database."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def query() -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that asks a database and lets go of it."""

    from sqlalchemy import create_engine, text

    def ask(url: str, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                rows: Sequence[Any] = connection.execute(text(sql), values).all()
                return [tuple(row) for row in rows]
        finally:
            engine.dispose()

    return ask
