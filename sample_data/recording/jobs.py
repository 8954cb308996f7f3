"""The CI jobs of the sample project: a workplace for them, their commands, and their logs."""

import contextlib
import datetime
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import windows_python

HERE = Path(__file__).resolve().parent
FOLDER = Path("/home/runner/work/jobkeeper")
"""Where a hosted runner has the checkout's parent; nothing else of this machine may get into the record."""
HOSTED_PYTHON = "/opt/hostedtoolcache/Python"
LIMIT_S = 240
HOSTS = {"linux-pytest": "fv-az1012-417", "linux-vitest": "fv-az874-23", "windows-pytest": "fv-az1390-88"}
COMMANDS = {
    "linux-pytest": "python -m pytest -v --junitxml=junit-pytest.xml",
    "linux-vitest": "node node_modules/vitest/vitest.mjs run --reporter=default --reporter=junit "
    "--outputFile.junit=junit-vitest.xml",
    "windows-pytest": "python -m pytest -v --junitxml=junit-pytest.xml",
}
JUNIT = {"linux-pytest": "junit-pytest.xml", "linux-vitest": "junit-vitest.xml", "windows-pytest": "junit-pytest.xml"}


class InTheWayError(Exception):
    """The folder for the work exists already."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Two checkouts, a Linux Python and a Windows Python in a neutral folder."""

    folder: Path
    windows: windows_python.WindowsPython
    running: "set[subprocess.Popen[bytes]]" = field(default_factory=set)
    """The supervisors of the jobs that run now."""

    @property
    def checkout(self) -> Path:
        """Return the repository, where the Linux jobs run."""
        return self.folder / "jobkeeper"

    @property
    def windows_checkout(self) -> Path:
        """Return the second checkout, which Windows sees as D:/a/jobkeeper/jobkeeper."""
        return self.folder / "drive_d" / "a" / "jobkeeper" / "jobkeeper"

    def check_out(self, sha: str) -> None:
        """Bring both checkouts to a commit."""
        git = ["git", "-c", "advice.detachedHead=false", "-c", "core.hooksPath=/dev/null"]
        subprocess.run([*git, "checkout", "--quiet", "--force", sha], cwd=self.checkout, check=True)
        shutil.rmtree(self.windows_checkout, ignore_errors=True)
        shutil.copytree(self.checkout, self.windows_checkout, ignore=shutil.ignore_patterns(".git", "node_modules"))

    def run_job(self, name: str, out: Path, tasks_file: Path | None) -> int:
        """Run one job, keep its junit.xml and console.log in `out`, and return its exit code."""
        out.mkdir(parents=True)
        cwd = self.windows_checkout if name == "windows-pytest" else self.checkout
        supervised = [sys.executable, str(HERE / "supervise.py"), str(LIMIT_S), HOSTS[name]]
        supervised += [str(tasks_file)] if tasks_file else []
        with (out / "console.log").open("wb") as log:
            console = _Console(log, timestamps=name != "linux-vitest")
            console.line(f"##[group]Run {COMMANDS[name]}")
            console.line("##[endgroup]")
            with subprocess.Popen(
                [*supervised, "--", *self._argv(name)],
                cwd=cwd,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as process:
                self.running.add(process)
                assert process.stdout is not None
                for line in process.stdout:
                    console.write(line)
            self.running.discard(process)
            if process.returncode:
                console.line(f"##[error]Process completed with exit code {process.returncode}.")
        junit = cwd / JUNIT[name]
        if junit.exists():
            (out / "junit.xml").write_bytes(_neutral(junit.read_bytes()))
            junit.unlink()
        return process.returncode

    def end_jobs(self) -> None:
        """End the jobs that run, and all that belongs to them; their `run_job` then returns."""
        for process in list(self.running):
            process.terminate()

    def _argv(self, name: str) -> list[str]:
        program, *args = COMMANDS[name].split()
        if name == "windows-pytest":
            return self.windows.command(*args)
        if program == "python":
            return [str(self.folder / ".venv" / "bin" / "python"), *args]
        return [shutil.which(program) or program, *args]

    def _environment(self) -> dict[str, str]:
        temporary = self.folder / "_temp"
        temporary.mkdir(exist_ok=True)
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder.parent.parent),
            "USER": "runner",
            "LOGNAME": "runner",
            "LANG": "C.UTF-8",
            "TMPDIR": str(temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            **self.windows.environment(),
        }


class _Console:
    """A job's log, as the runner writes it: with the time before each line, or plain."""

    def __init__(self, file: IO[bytes], *, timestamps: bool) -> None:
        self._file = file
        self._timestamps = timestamps

    def line(self, text: str) -> None:
        self.write(f"{text}\n".encode())

    def write(self, line: bytes) -> None:
        if self._timestamps:
            # Seven digits of a second: the runner is a .NET program.
            now = datetime.datetime.now(datetime.UTC)
            self._file.write(f"{now:%Y-%m-%dT%H:%M:%S.%f}0Z ".encode())
        self._file.write(_neutral(line))


def _neutral(text: bytes) -> bytes:
    """Write the interpreter's folder as a hosted runner has it: the only machine path that tracebacks can name."""
    if sys.base_prefix == "/usr":
        return text
    version = ".".join(map(str, sys.version_info[:3]))
    return text.replace(sys.base_prefix.encode(), f"{HOSTED_PYTHON}/{version}/x64".encode())


@contextlib.contextmanager
def workplace(windows_cache: Path) -> Iterator[Workplace]:
    """Make the folder for the work and remove it afterwards; `checkout` in it is still to be made.

    Raises:
        InTheWayError: the folder exists already.
        windows_python.WineMissingError: there is no Wine here.
    """
    cached = windows_python.set_up(windows_cache)
    new = [folder for folder in (FOLDER, *FOLDER.parents) if not folder.exists()]
    if not new:
        raise InTheWayError(f"{FOLDER} exists: a recording that was killed has left it, or another one is running")
    FOLDER.mkdir(parents=True)
    try:
        shutil.copytree(cached.prefix, FOLDER / "prefix", symlinks=True)
        place = Workplace(FOLDER, windows_python.WindowsPython(FOLDER / "prefix"))
        place.windows.map_drive("d", FOLDER / "drive_d")
        venv.create(FOLDER / ".venv", symlinks=True)
        (site_packages,) = (FOLDER / ".venv").glob("lib/python*/site-packages")
        windows_python.install_requirements(site_packages)
        with _wine_kept_up(place.windows):
            yield place
    finally:
        shutil.rmtree(new[-1])


@contextlib.contextmanager
def _wine_kept_up(windows: windows_python.WindowsPython) -> Iterator[None]:
    """Keep one Windows program running, so that Wine's services need not start anew for each job."""
    argv = windows.command("-c", "print('up', flush=True); import time; time.sleep(7200)")
    supervised = [sys.executable, str(HERE / "supervise.py"), "7200", "windows", "--", *argv]
    environment = {**os.environ, **windows.environment()}
    with subprocess.Popen(
        supervised, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        try:
            if b"up" not in process.stdout.readline():
                raise RuntimeError("the Windows Python does not start under Wine")
            yield
        finally:
            process.terminate()
