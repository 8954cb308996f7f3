"""Backends `job-object`, and its two flawed baselines `naive-job` and `checked-job` (the Buildbot worker's fix)."""

import sys

assert sys.platform == "win32"

import time
from collections.abc import Callable

from flakehunter.groupkill.backend import BackendUnusableError, ProcessGroup
from flakehunter.groupkill.base import Backend
from flakehunter.groupkill.command import Command
from flakehunter.groupkill.windows import api
from flakehunter.groupkill.windows.group import JobGroup
from flakehunter.groupkill.windows.job_object import JobObject
from flakehunter.groupkill.windows.process import WindowsProcess, create_process

__all__ = ["CheckedJobBackend", "JobBackend", "NaiveJobBackend", "create_inside", "create_suspended"]

STILL_ACTIVE = 259
Create = Callable[[int, int | None], WindowsProcess]
"""Creates the command: flags, and the handle of the job to create it in."""


class JobBackend(Backend):
    """Create the command inside a Job Object: no moment at which it, or a child of it, is outside."""

    name = "job-object"
    can_escape = False
    sees_all_members = True
    works = "a dry run ended its processes; the command is created inside the job"
    dry_run_argv = (sys.executable, "-c", "print(1)")
    group: type[JobGroup] = JobGroup

    def start(self, command: Command) -> ProcessGroup:
        """Start a command in a job. A pty is not to be had here."""
        if command.pty:
            raise BackendUnusableError(self.name, "no pty on Windows", hint="leave pty out")
        job = JobObject()

        def create(flags: int, inside: int | None) -> WindowsProcess:
            return create_process(command, job=inside, flags=flags | api.CREATE_NEW_PROCESS_GROUP)

        try:
            process, contained = self.contain(job, create)
        except BaseException:
            job.close()
            raise
        return self.group(self.name, command.argv, process, job, contained=contained)

    def contain(self, job: JobObject, create: Create) -> tuple[WindowsProcess, bool]:
        """Create the process inside the job."""
        return create_inside(job, create), True


def create_inside(job: JobObject, create: Create) -> WindowsProcess:
    """Create the process inside the job; where job lists are unknown suspended, and let it run once it is in."""
    try:
        return create(0, job.handle)
    except OSError as error:
        if getattr(error, "winerror", None) != api.ERROR_INVALID_PARAMETER:
            raise
    return create_suspended(job, create)


def create_suspended(job: JobObject, create: Create) -> WindowsProcess:
    """Create the process suspended, take it in, and let it run."""
    process = create(api.CREATE_SUSPENDED, None)
    try:
        job.assign(process.process)
        process.resume()
    except BaseException:
        process.kill()  # or it would stay suspended for ever
        process.close()
        raise
    return process


class NaiveJobBackend(JobBackend):
    """Flawed on purpose: start, then assign. The process, or a child of it, may be ahead of the assignment."""

    name = "naive-job"
    can_escape = True
    sees_all_members = False
    works = "assigns after the start, on purpose: a baseline, no protection"

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        """Seconds between the two, as a loaded machine would put there."""

    def contain(self, job: JobObject, create: Create) -> tuple[WindowsProcess, bool]:
        """Create, wait, assign.

        Raises:
            OSError: winerror 5: it had ended by then.
        """
        process = create(0, None)
        self.pause(process)
        try:
            self.assign(job, process)
        except OSError:
            process.kill()
            process.close()
            raise
        return process, True

    def assign(self, job: JobObject, process: WindowsProcess) -> None:
        """Assign without a look."""
        job.assign(process.process)

    def pause(self, process: WindowsProcess) -> None:
        """Let the time between start and assignment pass."""
        time.sleep(self.delay_s)


class CheckedJobBackend(NaiveJobBackend):
    """The Buildbot worker's fix: look at the exit code, assign, and swallow error 5. Grandchildren may still escape."""

    name = "checked-job"
    works = "looks at the exit code, then assigns, on purpose: a baseline, no protection"
    swallows = True

    def contain(self, job: JobObject, create: Create) -> tuple[WindowsProcess, bool]:
        """Create, wait, look, assign; error 5 is taken to mean that it had ended."""
        process = create(0, None)
        self.pause(process)
        if api.exit_code(process.process) != STILL_ACTIVE:
            return process, False
        try:
            job.assign(process.process)
        except OSError as error:
            if error.winerror == api.ERROR_ACCESS_DENIED and self.swallows:
                return process, False
            process.kill()
            process.close()
            raise
        return process, True
