"""A pool of background jobs: each is waited for by a thread of its own, which keeps its exit code and CPU time."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a job."""

    code: int
    cpu_s: float


class Pool:
    """Children that nobody waits for one by one."""

    def __init__(self) -> None:
        self._threads: dict[int, threading.Thread] = {}
        self._ended: dict[int, Ended] = {}
        self._changed = threading.Condition()

    def start(self, argv: Sequence[str]) -> int:
        """Start a job in the background and return its pid."""
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        thread = threading.Thread(target=self._keep, args=(process,), daemon=True)
        self._threads[process.pid] = thread
        thread.start()
        return process.pid

    def kill(self, pid: int) -> None:
        """End a job at once: SIGKILL."""
        os.kill(pid, signal.SIGKILL)

    def wait(self, pid: int, timeout_s: float) -> Ended:
        """Wait until the job has ended and was reaped."""
        with self._changed:
            if not self._changed.wait_for(lambda: pid in self._ended, timeout_s):
                raise TimeoutError(f"job {pid} has not ended within {timeout_s} s")
            return self._ended[pid]

    def close(self) -> None:
        """Kill what still runs, and wait until all is reaped."""
        for pid, thread in self._threads.items():
            with self._changed:
                if pid not in self._ended:
                    self.kill(pid)
            thread.join()

    def _keep(self, process: "subprocess.Popen[bytes]") -> None:
        # The CPU time is in /proc only as long as the ended process has not been reaped.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
        with self._changed:
            self._ended[process.pid] = Ended(process.wait(), cpu_s)
            self._changed.notify_all()
