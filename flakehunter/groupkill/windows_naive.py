"""Backends `naive` (TerminateProcess of the child only) and `taskkill` (`taskkill /T /F`) on Windows."""

import sys

assert sys.platform == "win32"

import shutil
import subprocess
import time

from flakehunter.groupkill import windows_api as api
from flakehunter.groupkill.report import Capability
from flakehunter.groupkill.windows_group import JobGroup
from flakehunter.groupkill.windows_job import Create, JobBackend
from flakehunter.groupkill.windows_job_object import JobObject
from flakehunter.groupkill.windows_process import WindowsProcess

__all__ = ["NaiveBackend", "TaskkillBackend"]

TREE = """
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'input()'])
print(child.pid, flush=True)
child.wait()
"""
NOT_FOUND, PARTLY = 128, 255
"""Exit codes of taskkill: no such process, and not all of the tree could be ended."""


class NaiveGroup(JobGroup):
    """A child without a job; its Job Object stays empty."""

    def _kill(self, errors: list[str]) -> None:
        self.process.kill()
        for held in self._held.values():
            held.signals.append(("TerminateProcess", self._ms()))


class NaiveBackend(JobBackend):
    """Kill the direct child only; kept on purpose as the flawed baseline."""

    name = "naive"
    can_escape = True
    sees_all_members = False
    works = "ends the direct child only, on purpose: a baseline, no protection"
    group: type[JobGroup] = NaiveGroup

    def contain(self, job: JobObject, create: Create) -> tuple[WindowsProcess, bool]:
        """Contain nothing."""
        return create(0, None), False


class TaskkillGroup(JobGroup):
    """A child whose tree taskkill walks; what hangs below a dead parent is not found by it."""

    def _kill(self, errors: list[str]) -> None:
        done = subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(self.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )
        for held in self._held.values():
            held.signals.append(("taskkill", self._ms()))
        if done.returncode == 0 or (done.returncode == NOT_FOUND and api.has_ended(self.process.process, 1.0)):
            return
        said = done.stdout.decode(errors="replace").strip()
        meaning = {NOT_FOUND: "no such process", PARTLY: "not all of the tree ended"}.get(done.returncode, said)
        errors.append(f"taskkill: exit code {done.returncode}: {meaning}")


class TaskkillBackend(NaiveBackend):
    """taskkill /T /F: walks the tree of parents once."""

    name = "taskkill"
    works = "a dry run ended its processes; a grandchild whose parent is dead is lost"
    group = TaskkillGroup

    def probe(self) -> Capability:
        """Say whether taskkill is there and ends a tree: Wine's knows no /T."""
        if shutil.which("taskkill") is None:
            return Capability(False, "taskkill is not on the PATH", False, True, False)
        with self.spawn([sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as group:
            assert group.stdout is not None
            grandchild = api.open_process(int(group.stdout.readline()))
            report = group.terminate(grace_s=0)
            deadline = time.monotonic() + 5.0
            ended = grandchild is None
            while grandchild is not None and not ended and time.monotonic() < deadline:
                ended = api.has_ended(grandchild, 0.05)
            if grandchild is not None:
                grandchild.close()
        reason = "; ".join(report.errors) or ("" if ended else "a dry run left the grandchild")
        return Capability(not reason, reason or self.works, False, True, False)
