"""Backends `naive` (TerminateProcess of the child only) and `taskkill` (`taskkill /T /F`) on Windows."""

import sys

assert sys.platform == "win32"

import shutil
import subprocess

from flakehunter.groupkill.report import KillReport
from flakehunter.groupkill.windows import api
from flakehunter.groupkill.windows.group import JobGroup
from flakehunter.groupkill.windows.job import Create, JobBackend
from flakehunter.groupkill.windows.job_object import JobObject
from flakehunter.groupkill.windows.process import WindowsProcess

__all__ = ["NaiveBackend", "TaskkillBackend"]

TREE = """
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'input()'])
print(child.pid, flush=True)
child.wait()
"""
GRANDCHILD_END_S = 5.0
TASKKILL_LIMIT_S = 30.0
NOT_FOUND = 128
MEANINGS = {NOT_FOUND: "no such process", 255: "not all of the tree ended"}
"""Exit codes of taskkill. 128 of a leader that runs on is an error; of one that has ended it is none, but what hangs
below the dead leader is not found."""


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

    program: tuple[str, ...] = ("taskkill", "/T", "/F", "/PID")

    def _kill(self, errors: list[str]) -> None:
        error = self._taskkill()
        for held in self._held.values():
            held.signals.append(("taskkill", self._ms()))
        if error:
            errors.append(f"taskkill: {error}")

    def _taskkill(self) -> str:
        """Run taskkill on the leader; returns what went wrong, empty when nothing did."""
        try:
            done = subprocess.run(
                [*self.program, str(self.pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TASKKILL_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode == NOT_FOUND and api.has_ended(self.process.process, 1.0):
            return ""  # it had ended by itself meanwhile
        said = " ".join(done.stdout.decode(errors="replace").split())
        meaning = MEANINGS.get(done.returncode, said)
        return f"exit code {done.returncode}: {meaning}" if done.returncode else ""


class TaskkillBackend(NaiveBackend):
    """taskkill /T /F: walks the tree of parents once."""

    name = "taskkill"
    works = "a dry run ended its processes; a grandchild whose parent is dead is lost"
    dry_run_argv = (sys.executable, "-c", TREE)
    group = TaskkillGroup

    def requirement(self) -> str:
        """Say whether taskkill is there."""
        return "" if shutil.which("taskkill") else "taskkill is not on the PATH"

    def judge(self, report: KillReport, said: bytes) -> str:
        """Say whether taskkill ended the grandchild, whose pid is in `said`: Wine's knows no /T."""
        if report.errors:
            return "; ".join(report.errors)
        grandchild = api.open_process(int(said))
        if grandchild is None:
            return ""
        try:
            return "" if api.has_ended(grandchild, GRANDCHILD_END_S) else "a dry run left the grandchild"
        finally:
            grandchild.close()
