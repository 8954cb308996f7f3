"""A dask scheduler and workers, real processes on this machine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

OTHER_HOST = ["unshare", "--uts", "bash", "-c", 'hostname "$0" && exec "$@"']
"""Runs what follows a host name on a host of that name."""


@dataclass
class Fleet:
    """A scheduler, and the workers that joined it; all of them write their logs into `folder`."""

    address: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_scheduler(self, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a scheduler and learn its address."""
        words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        process, found = self._dask("scheduler", words, r"Scheduler at:\s+(tcp://\S+)", environment)
        self.address = found[1]
        return process

    def worker(
        self, name: str, *options: str, environment: dict[str, str] | None = None, host: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, so that nobody starts it anew when it is killed; wait until it has joined.

        It may have a `host` name of its own, uts_namespaces(7), for which it takes root.
        """
        words = ["worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name, *options]
        words += ["--local-directory", str(self.folder)]
        before = [*OTHER_HOST, host] if host else []
        return self._dask(name, words, "Starting established connection to", environment, before)[0]

    def _dask(
        self, name: str, words: list[str], pattern: str, environment: dict[str, str] | None, before: Sequence[str] = ()
    ) -> tuple[subprocess.Popen[bytes], re.Match[str]]:
        """Start `dask WORDS` and wait until its log says what fits the pattern."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "dask", *words],
                cwd=self.folder,  # and not the repository, which `python -m` would put first on the path
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        while (found := re.search(pattern, log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        return process, found

    def end(self) -> None:
        """End all of them, with what they started."""
        end(self.processes)


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill processes with all that is below them, and reap them."""
    for process in processes:
        if process.poll() is None:
            below = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in below:
                child.kill()
            psutil.wait_procs(below)
        process.wait()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give a scheduler with two workers, `one` and `two`, of which `one` may run trials."""
    made = Fleet("", tmp_path_factory.mktemp("fleet"))
    try:
        made.start_scheduler()
        made.worker("one", "--resources", "REPRO=1")
        made.worker("two")
        yield made
    finally:
        made.end()
