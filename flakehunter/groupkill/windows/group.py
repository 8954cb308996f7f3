"""The group of the Windows backends: a process, the Job Object it is in (or not), and the report of its end."""

import sys

assert sys.platform == "win32"

import signal
import time

from flakehunter.groupkill.backend import DEFAULT_DEADLINE_S, DEFAULT_GRACE_S, ProcessGroup
from flakehunter.groupkill.report import Escalation, KillReport, Member, deadline_passed
from flakehunter.groupkill.windows import api
from flakehunter.groupkill.windows.job_object import JobObject
from flakehunter.groupkill.windows.process import WindowsProcess

__all__ = ["JobGroup"]


def _command_line(pid: int) -> tuple[str, ...]:
    """Return the command line of a living process that is held; empty where it cannot be read."""
    import psutil

    try:
        return tuple(psutil.Process(pid).cmdline())
    except (psutil.Error, OSError):  # another user's, or just ended
        return ()


class _Held:
    """A member that is held by handle while the group is ended."""

    def __init__(self, pid: int, process: api.Handle) -> None:
        self.pid = pid
        self.process = process
        self.started = api.start_time(process)
        self.argv = _command_line(pid)
        self.signals: list[tuple[str, float]] = []
        self.exit_ms: float | None = None


class JobGroup(ProcessGroup):
    """A command in a Job Object; `contained` is False where the backend did not get it in."""

    def __init__(
        self, backend: str, argv: tuple[str, ...], process: WindowsProcess, job: JobObject, *, contained: bool
    ) -> None:
        self.backend = backend
        self.argv = argv
        self.pty = None
        self.contained = contained
        self.process = process
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self.job = job
        # Windows' monotonic clock ticks in steps of 15 ms.
        self._begin = time.perf_counter()
        self._held: dict[int, _Held] = {}
        self._report: KillReport | None = None
        self._returncode: int | None = None
        self._closed = False

    @property
    def pid(self) -> int:
        """Return the pid of the leader."""
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """Return the leader's exit code, or None while it runs."""
        if self._returncode is None and not self._closed:
            self._returncode = self.process.returncode
        return self._returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the leader only."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.returncode is None:
            left = 1.0 if deadline is None else min(1.0, max(0.0, deadline - time.monotonic()))
            # In slices: Python handles Ctrl-C between waits only.
            if not api.has_ended(self.process.process, left) and deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"pid {self.pid} ({self.argv[0]}) still runs after {timeout_s:g} s")
        code = self.returncode
        assert code is not None
        return code

    # --- members -----------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Take handles of the living members: a handle keeps the pid from being given out again."""
        for pid in [self.pid, *self.job.pids()]:
            if pid not in self._held:
                process = api.open_process(pid)
                if process is not None:
                    self._held[pid] = _Held(pid, process)

    def _note_deaths(self) -> None:
        now = self._ms()
        for held in self._held.values():
            if held.exit_ms is None and api.has_ended(held.process):
                held.exit_ms = now

    def members(self) -> tuple[Member, ...]:
        """Return the members that run now."""
        if self._closed:
            return ()
        self._hold()
        self._note_deaths()
        return tuple(self._member(held) for held in self._held.values() if held.exit_ms is None)

    def _member(self, held: _Held) -> Member:
        ended = held.exit_ms is not None
        return Member(
            pid=held.pid,
            start_ticks=held.started,
            ppid=None,
            pgid=None,
            sid=None,
            argv=self.argv if held.pid == self.pid else held.argv,
            signals=tuple(held.signals),
            exit_ms=held.exit_ms,
            reap_ms=held.exit_ms,  # Windows has no zombies; open handles keep only the number
            status=api.exit_code(held.process) if ended else None,
            state="" if ended else "R",
            escaped="",
            error="",
        )

    def send_signal(self, signal_number: int, *, leader_only: bool = False) -> None:
        """Send CTRL_BREAK to the console process group; Windows has no other signal.

        Raises:
            OSError: there is no console, or it refuses.
        """
        if not self._closed:
            api.check(
                api.kernel32.GenerateConsoleCtrlEvent(signal.CTRL_BREAK_EVENT, self.pid), "GenerateConsoleCtrlEvent"
            )

    # --- ending ------------------------------------------------------------------------------------------------

    def _ms(self) -> float:
        return round((time.perf_counter() - self._begin) * 1000, 3)

    def terminate(
        self,
        signal_number: int = signal.SIGTERM,
        *,
        grace_s: float = DEFAULT_GRACE_S,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> KillReport:
        """End the group: CTRL_BREAK and the grace period where a console allows it, then TerminateJobObject.

        Any signal number asks for CTRL_BREAK first; `grace_s=0` leaves it out.
        """
        if self._closed and self._report is not None:
            return self._report
        self._begin = time.perf_counter()
        begin = time.monotonic()
        deadline = begin + deadline_s
        errors: list[str] = []
        escalations: list[Escalation] = []
        self._hold()
        if grace_s > 0 and self._ask(errors):
            self._await_empty(min(begin + grace_s, deadline))
        if not self._is_empty():
            escalations.append(Escalation("TerminateJobObject", self._ms(), self.job.active()))
            self._kill(errors)
        gone = self._await_empty(deadline)
        if not gone:
            errors.append(deadline_passed(self._ms()))
        self._report = KillReport(
            backend=self.backend,
            argv=self.argv,
            members=tuple(self._member(held) for held in self._held.values()),
            escalations=tuple(escalations),
            errors=tuple(errors),
            notes=self._notes(),
            elapsed_ms=self._ms(),
            timed_out=not gone,
            verified_by="the job's count of active processes is 0, and every handle says that its process has ended",
            pid_table_clean=gone,
        )
        return self._report

    def _notes(self) -> tuple[str, ...]:
        started = self.job.total()
        seen = f"{started} processes were in the job"
        zero = "ACTIVE_PROCESS_ZERO arrived" if self.job.saw_zero else "the count said 0 before its packet was read"
        note = () if self.contained else ("the command was not in the job: what it started may run on",)
        return (seen, zero, *note)

    def _ask(self, errors: list[str]) -> bool:
        try:
            self.send_signal(signal.SIGTERM)
        except OSError as error:
            errors.append(f"CTRL_BREAK: error {error.winerror}")
            return False
        for held in self._held.values():
            held.signals.append(("CTRL_BREAK", self._ms()))
        return True

    def _kill(self, errors: list[str]) -> None:
        try:
            self.job.terminate()
        except OSError as error:
            errors.append(f"TerminateJobObject: error {error.winerror}")
        for held in self._held.values():
            if held.exit_ms is None:
                held.signals.append(("TerminateJobObject", self._ms()))
        if not self.contained:
            self.process.kill()

    def _is_empty(self) -> bool:
        return not self.job.active() and api.has_ended(self.process.process)

    def _await_empty(self, deadline: float) -> bool:
        while True:
            empty = self.job.wait_empty(min(deadline, time.monotonic() + 0.05))
            self._hold()
            self._note_deaths()
            living = [held for held in self._held.values() if held.exit_ms is None]
            if empty and not living:
                return True
            if time.monotonic() >= deadline:
                return False
            if living:
                api.has_ended(living[0].process, 0.005)

    def wait_gone(self, deadline_s: float) -> bool:
        """Wait without ending anything until no member runs."""
        return self._closed or self._await_empty(time.monotonic() + deadline_s)

    def close(self) -> KillReport | None:
        """End what is left and close all handles, each once."""
        if self._closed:
            return self._report
        if self._report is None or not self._report.clean:
            self.terminate(grace_s=0)
        _ = self.returncode
        self._closed = True
        self.job.close()
        for held in self._held.values():
            held.process.close()
        self.process.close()
        return self._report
