"""A pool of background jobs whose ended children are reaped by a thread, many times a second."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence

REAP_EVERY_S = 0.01


class Pool:
    """Children that nobody waits for one by one."""

    def __init__(self, reap_every_s: float = REAP_EVERY_S) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._codes: dict[int, int] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._reap, args=(reap_every_s,), daemon=True)
        self._thread.start()

    def start(self, argv: Sequence[str]) -> int:
        """Start a job in the background and return its pid."""
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        with self._changed:
            self._children[process.pid] = process
        return process.pid

    def kill(self, pid: int) -> None:
        """End a job at once: SIGKILL."""
        os.kill(pid, signal.SIGKILL)

    def wait(self, pid: int, timeout_s: float) -> int:
        """Wait until the job has ended and was reaped; return its exit code."""
        with self._changed:
            if not self._changed.wait_for(lambda: pid in self._codes, timeout_s):
                raise TimeoutError(f"job {pid} has not ended within {timeout_s} s")
            return self._codes[pid]

    def close(self) -> None:
        """Kill what still runs, reap it, and stop the thread."""
        self._stopping.set()
        self._thread.join()
        for process in self._children.values():
            process.kill()
            process.wait()

    def _reap(self, every_s: float) -> None:
        while not self._stopping.wait(every_s):
            with self._changed:
                ended = [pid for pid, process in self._children.items() if process.poll() is not None]
                for pid in ended:
                    self._codes[pid] = self._children.pop(pid).returncode
                if ended:
                    self._changed.notify_all()
