"""Where tests keep their rows: SQLite files, or with `--database postgresql` the databases of a real server."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text

_TEMPLATE = "flakehunter_template"


def postgres_bin() -> Path | None:
    """Return the folder of the server's programs, the newest version's where there are several."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


class Server:
    """A PostgreSQL server; `url` has `{name}` where the name of a database belongs."""

    def __init__(self, url: str, control: list[str] | None = None, log: Path | None = None) -> None:
        self.url = url
        self._control, self._log = control, log
        self._numbers = itertools.count(1)
        self._has_template = False

    def crash(self) -> None:
        """End the server at once, as a crash would, with every connection; one of our own only."""
        assert self._control is not None, "somebody else's server is not ended"
        subprocess.run([*self._control, "-m", "immediate", "stop"], check=True)

    def start(self) -> None:
        """Start the server again, and wait until it is ready."""
        assert self._control is not None
        subprocess.run([*self._control, "start"], check=True)

    def log(self) -> str:
        """Return what the server has logged so far; one of our own only."""
        assert self._log is not None, "somebody else's log is not read"
        return self._log.read_text()

    def create(self, *, tables: bool = False) -> str:
        """Return the URL of a new database: empty, or a copy of one with flakehunter's tables."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        if tables:
            self._make_template()
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {_TEMPLATE}_{os.getpid()}" if tables else ""))
        return self.url.format(name=name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run a statement outside of a transaction, in the server's own database."""
        engine = create_engine(self.url.format(name="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def close(self) -> None:
        """Drop what outlives a test."""
        if self._has_template:
            self.run(f"DROP DATABASE {_TEMPLATE}_{os.getpid()}")

    def _make_template(self) -> None:
        if self._has_template:
            return
        from flakehunter.db.engine import open_database

        name = f"{_TEMPLATE}_{os.getpid()}"
        self.run(f"CREATE DATABASE {name}")
        open_database(self.url.format(name=name), create=True).dispose()
        self._has_template = True


@contextmanager
def running_server(settings: str = "-c fsync=off") -> Iterator[Server]:
    """Start a server of our own, or take the one that FLAKEHUNTER_TEST_POSTGRES names by its URL up to the host."""
    given = os.environ.get("FLAKEHUNTER_TEST_POSTGRES")
    if given:
        server = Server(f"{given.rstrip('/')}/{{name}}")
        yield server
        server.close()
        return
    programs = postgres_bin()
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
    options = f"-k {folder} -c listen_addresses='' {settings}"
    control = [*run, str(programs / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", str(folder / "log"), "-o", options]
    subprocess.run([*control, "start"], check=True)
    try:
        yield Server(f"postgresql+psycopg://flakehunter@/{{name}}?host={folder}", control, folder / "log")
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True)
        shutil.rmtree(folder)


class _Places:
    """Which database stands for which path, in the running test."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self.urls: dict[Path, str] = {}


_places = _Places()


def use_server(server: Server | None) -> None:
    """From now on `url_at` gives databases of this server; SQLite files for None."""
    _places.server = server


def url_at(path: Path) -> str:
    """Return the URL of the test's database at `path`: that SQLite file, or the PostgreSQL database in its place.

    The latter has flakehunter's tables already, and is dropped when the test ends.
    """
    if _places.server is None:
        return f"sqlite:///{path}"
    if path not in _places.urls:
        _places.urls[path] = _places.server.create(tables=True)
    return _places.urls[path]


def remove(path: Path) -> None:
    """Remove the test's database at `path`."""
    url = _places.urls.pop(path, None)
    if url is not None and _places.server is not None:
        _places.server.drop(url)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def remove_all() -> None:
    """Drop the databases that the test was given."""
    for path in list(_places.urls):
        remove(path)


def packed_results(url: str) -> int:
    """Return how many results the rollups of a database and the rows after them say."""
    from flakehunter.db.engine import open_database, readonly
    from flakehunter.db.queries.rollups import read_packed

    engine = open_database(url)
    with readonly(engine).connect() as connection:
        found = len(read_packed(connection, "default").test)
    engine.dispose()
    return found


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """Give a connection to a database, which is made where it is missing."""
    from flakehunter.db.engine import open_database

    engine = open_database(url, create=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def indexed(url: str) -> bool:
    """Tell whether a database has its index of results by test."""
    from flakehunter.db.indexes import has_index_by_test

    with opened(url) as connection:
        return has_index_by_test(connection)


def write_passes(folder: Path, files: int, suite: str = "s") -> Path:
    """Make a folder with files of ten passed tests each; all those of a suite are the same."""
    folder.mkdir()
    for number in range(files):
        cases = "".join(f'<testcase classname="c" name="t{test}" time="0.1"/>' for test in range(10))
        (folder / f"{number}.xml").write_text(f'<testsuite name="{suite}">{cases}</testsuite>')
    return folder
