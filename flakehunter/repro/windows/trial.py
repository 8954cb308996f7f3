"""One trial on Windows: a Job Object with the command and what runs beside it, watched by a thread of the harness."""

import sys

assert sys.platform == "win32"

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from flakehunter.errors import FlakehunterError
from flakehunter.groupkill.command import Command
from flakehunter.groupkill.report import KillReport, Member
from flakehunter.groupkill.windows import api
from flakehunter.groupkill.windows.group import JobGroup
from flakehunter.groupkill.windows.job import create_inside
from flakehunter.groupkill.windows.job_object import JobObject
from flakehunter.groupkill.windows.process import WindowsProcess, create_process
from flakehunter.repro.trial import ProcessRecord, TrialError, TrialReport, TrialSpec
from flakehunter.repro.windows.loads import start_loads

__all__ = ["JobTrial"]

SLICE_S = 0.05
END_LIMIT_S = 10.0
START_LIMIT_S = 120.0
"""For all loads together; a process takes some 30 ms to start, but 300 under Wine."""
ARGV_LIMIT = 4096
CONSOLE_HOST = "conhost.exe"
"""The window of console programs: Windows starts and ends it beside them."""


class JobTrial:
    """A trial that runs; closing its job, also when the harness is killed, ends everybody in it."""

    def __init__(self, spec: TrialSpec) -> None:
        self._spec = spec
        self._job = JobObject()
        self._ending = threading.Event()
        self._report: TrialReport | None = None
        self._error: BaseException | None = None
        self.cpu_s = 0.0
        """CPU time of all its processes, loads included; 0 while it runs."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more."""
        return not self._thread.is_alive()

    def finish(self) -> TrialReport:
        """Wait for the report; an interruption (KeyboardInterrupt) ends the trial.

        Raises:
            TrialError: it could not be started or watched.
        """
        deadline = time.monotonic() + START_LIMIT_S + self._spec.time_limit_s + 2 * END_LIMIT_S
        try:
            while not self.is_over:
                self._thread.join(SLICE_S)  # in slices: Python looks for Ctrl-C between waits only
                if time.monotonic() >= deadline:
                    raise TrialError("a trial's processes could not be started or ended", hint="run again")
        finally:
            self.close()
        if self._report is not None:
            return self._report
        error = self._error
        if isinstance(error, FlakehunterError):
            raise TrialError(error.message, hint=error.hint) from error
        raise TrialError(f"a trial could not be watched: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """End it, if it still runs, with all that it has started."""
        self._ending.set()
        if not self.is_over:
            with contextlib.suppress(ValueError):  # the thread has just ended it and closed the job
                self._job.terminate()
            self._thread.join(END_LIMIT_S)
        self._job.close()

    # --- in the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        processes: list[WindowsProcess] = []
        try:
            self._report = self._watch(processes)
        except BaseException as error:
            self._error = error  # finish() raises it
            with contextlib.suppress(ValueError):  # the job was closed, and so ended, before
                self._job.terminate()
                self._job.wait_empty(time.monotonic() + END_LIMIT_S)
        finally:
            for process in processes:
                process.close()

    def _watch(self, processes: list[WindowsProcess]) -> TrialReport:
        import psutil  # noqa: F401 - at the command's end there is no time to lose

        spec = self._spec
        loads: list[WindowsProcess] = []
        for load in start_loads(spec.loads, self._create):
            processes.append(load)
            loads.append(load)
            if self._ending.is_set():
                raise TrialError("the trial was ended before it began")
        with Path(spec.output).open("wb") as output:
            command = self._create(
                Command(
                    _runnable(spec),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=spec.cwd,
                    env={name.upper(): value for name, value in spec.env.items()},  # names differ in no letter's case
                )
            )
        group = JobGroup("job-object", spec.argv, command, self._job, contained=True)
        begin = time.perf_counter()
        hung = not self._has_ended(command, begin + spec.time_limit_s)
        end = time.perf_counter()
        for load in loads:
            load.kill()
        beside = {load.pid for load in loads}
        parents = {
            member.pid: _parent(member.pid)
            for member in group.members()
            if member.pid not in beside and member.pid != command.pid and not _is_console_host(member)
        }
        late_ms = (time.perf_counter() - end) * 1000
        killed = group.terminate(grace_s=0, deadline_s=END_LIMIT_S)
        status = group.returncode
        self.cpu_s = self._job.cpu_s()
        group.close()
        aborted = self._ending.is_set()
        return TrialReport(
            status=None if hung or aborted or status is None else _signed(status),
            hung=hung and not aborted,
            duration_s=round(end - begin, 6),
            processes=_records(killed, command.pid, parents, late_ms),
            clean=killed.clean,
            errors=killed.errors,
        )

    def _create(self, command: Command) -> WindowsProcess:
        """Create a process in the job; bound to one CPU before its first instruction, where that is asked for."""
        flags = api.CREATE_NEW_PROCESS_GROUP | (api.CREATE_SUSPENDED if self._spec.one_cpu else 0)
        process = create_inside(self._job, lambda more, inside: create_process(command, job=inside, flags=flags | more))
        if self._spec.one_cpu:
            api.bind_to_one_cpu(process.process)
            process.resume()
        return process

    def _has_ended(self, process: WindowsProcess, deadline: float) -> bool:
        """Wait until the command ends; False when the time limit (of `time.perf_counter()`) or `close` is earlier."""
        while not api.has_ended(process.process, min(SLICE_S, max(0.0, deadline - time.perf_counter()))):
            if self._ending.is_set() or time.perf_counter() >= deadline:
                return False
        return True


def _runnable(spec: TrialSpec) -> tuple[str, ...]:
    """Return the command with its program as it was looked for: CreateProcess would look beside Python first."""
    program = spec.argv[0]
    if os.path.dirname(program):  # noqa: PTH120 - `.\\run` is no bare name, which pathlib would make of it
        return (str(Path(spec.cwd) / program), *spec.argv[1:])
    return (shutil.which(program, path=spec.env.get("PATH")) or program, *spec.argv[1:])


def _is_console_host(member: Member) -> bool:
    return bool(member.argv) and member.argv[0].lower().endswith(CONSOLE_HOST)


def _parent(pid: int) -> int:
    """Return the parent's pid of a living process that is held; 0 where it cannot be read."""
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except (psutil.Error, OSError):
        return 0


def _signed(status: int) -> int:
    """Return an exit code of 32 bits as a signed number."""
    return status - (1 << 32) if status >= 1 << 31 else status


def _records(killed: KillReport, command: int, parents: Mapping[int, int], late_ms: float) -> tuple[ProcessRecord, ...]:
    """Return the command and all that outlived it, whose `parents` are known, in the order of their start."""
    members = [member for member in killed.members if member.pid == command or member.pid in parents]
    members.sort(key=lambda member: (member.pid != command, member.start_ticks or 0, member.pid))
    return tuple(_record(index, member, parents.get(member.pid), late_ms) for index, member in enumerate(members, 1))


def _record(index: int, member: Member, parent: int | None, late_ms: float) -> ProcessRecord:
    """Return the row of one process; one that is its own end has no `parent` here."""
    outlived = parent is not None
    after_ms = round(late_ms + member.exit_ms, 3) if outlived and member.exit_ms is not None else None
    return ProcessRecord(
        index=index,
        pid=member.pid,
        ppid=os.getpid() if parent is None else parent,
        pgid=None,
        sid=None,
        argv=" ".join(member.argv)[:ARGV_LIMIT],
        state="R" if outlived else "",
        survived=outlived,
        exit_status=None if member.status is None else _signed(member.status),
        exit_ms=after_ms if outlived else 0.0,
        reap_ms=after_ms if outlived else 0.0,
        left=member.is_alive,
    )
