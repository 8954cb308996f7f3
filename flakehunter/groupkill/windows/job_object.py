"""A Job Object: create, take a process in, know its members, end them, wait until the kernel says that none is left."""

import sys

assert sys.platform == "win32"

import ctypes
import time
from enum import StrEnum

from flakehunter.groupkill.windows import api

__all__ = ["Adoption", "JobObject"]

EXIT_IN_PROGRESS_S = 0.25


class Adoption(StrEnum):
    """What came of taking a running process into a job."""

    CONTAINED = "contained"
    HAD_EXITED = "had exited"
    """There is nothing to contain: its handle says that it has ended."""
    NOT_ALLOWED = "not allowed"
    """It runs on outside: it is in a job that may not be nested, or another user's."""


class JobObject:
    """A Job Object that ends its members when its last handle is closed, also when this process is killed."""

    def __init__(self, *, kill_on_close: bool = True) -> None:
        self._job = api.Handle(api.kernel32.CreateJobObjectW(None, None), "CreateJobObject")
        self._port = api.Handle(api.kernel32.CreateIoCompletionPort(-1, None, 0, 1), "CreateIoCompletionPort")
        self.saw_zero = False
        if kill_on_close:
            limits = api.ExtendedLimits()
            limits.Basic.LimitFlags = api.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
            self._set(api.JobObjectExtendedLimitInformation, limits)
        # Before the first member: a packet of an earlier death would be lost.
        self._set(
            api.JobObjectAssociateCompletionPortInformation, api.PortAssociation(self._job.value, self._port.value)
        )

    @property
    def handle(self) -> int:
        """Return the handle, to create processes in."""
        return self._job.value

    def _set(self, kind: int, value: ctypes.Structure) -> None:
        done = api.kernel32.SetInformationJobObject(self.handle, kind, ctypes.byref(value), ctypes.sizeof(value))
        api.check(done, "SetInformationJobObject")

    def assign(self, process: api.Handle) -> None:
        """Take a process in, and nothing else.

        Raises:
            OSError: winerror 5 when it has ended, and also when it runs but may not be taken in.
        """
        api.check(api.kernel32.AssignProcessToJobObject(self.handle, process.value), "AssignProcessToJobObject")

    def adopt(self, process: api.Handle) -> Adoption:
        """Take in a process that exists already, and know afterwards what is true of it.

        It may end between any look and the assignment, which then fails with ERROR_ACCESS_DENIED: so look first, catch
        the error, and look again. The look is a wait on the handle: the exit code of a living process is 259, and a
        dead one may have returned 259. What the process started before it was taken in stays outside.

        Raises:
            OSError: any other error.
        """
        if api.has_ended(process):
            return Adoption.HAD_EXITED
        try:
            self.assign(process)
        except OSError as error:
            if error.winerror != api.ERROR_ACCESS_DENIED:
                raise
            # A process refuses as soon as its exit has begun, and its handle says so only when it is over.
            return Adoption.HAD_EXITED if api.has_ended(process, EXIT_IN_PROGRESS_S) else Adoption.NOT_ALLOWED
        return Adoption.CONTAINED

    def pids(self) -> list[int]:
        """Return the pids of the living members."""
        room = 64
        while True:

            class PidList(ctypes.Structure):
                _fields_ = (
                    ("Assigned", ctypes.c_uint32),
                    ("Listed", ctypes.c_uint32),
                    ("Pids", ctypes.c_size_t * room),
                )

            found = PidList()
            done = api.kernel32.QueryInformationJobObject(
                self.handle, api.JobObjectBasicProcessIdList, ctypes.byref(found), ctypes.sizeof(found), None
            )
            if done and found.Listed >= found.Assigned:
                return [int(pid) for pid in found.Pids[: found.Listed]]
            if not done and ctypes.get_last_error() != 234:  # ERROR_MORE_DATA
                raise api.failed("QueryInformationJobObject")
            room *= 4

    def active(self) -> int:
        """Return how many members live."""
        return int(self._accounting().ActiveProcesses)

    def total(self) -> int:
        """Return how many processes have ever been members."""
        return int(self._accounting().TotalProcesses)

    def cpu_s(self) -> float:
        """Return the CPU time, in seconds, that all members used up, those that have ended included."""
        user, kernel = self._accounting().Times[:2]
        return float(user + kernel) / 1e7

    def _accounting(self) -> api.Accounting:
        answer = api.Accounting()
        done = api.kernel32.QueryInformationJobObject(
            self.handle,
            api.JobObjectBasicAccountingInformation,
            ctypes.byref(answer),
            ctypes.sizeof(answer),
            None,
        )
        api.check(done, "QueryInformationJobObject")
        return answer

    def terminate(self, code: int = 1) -> None:
        """End all members at one blow; returns before they have ended."""
        api.check(api.kernel32.TerminateJobObject(self.handle, code), "TerminateJobObject")

    def wait_empty(self, deadline: float) -> bool:
        """Wait for ACTIVE_PROCESS_ZERO until `deadline` (`time.monotonic()`); False when members are left.

        Other packets, such as NEW_PROCESS, come first and mean nothing here. The count of living members is asked in
        between, so that a packet that was lost or read before cannot hold the caller up.
        """
        while self.active():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._next_packet(min(left, 0.05))
        return True

    def _next_packet(self, timeout_s: float) -> None:
        message, key, overlapped = ctypes.c_uint32(), ctypes.c_size_t(), ctypes.c_void_p()
        got = api.kernel32.GetQueuedCompletionStatus(
            self._port.value,
            ctypes.byref(message),
            ctypes.byref(key),
            ctypes.byref(overlapped),
            max(1, round(timeout_s * 1000)),
        )
        if got and message.value == api.JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO:
            self.saw_zero = True

    def close(self) -> None:
        """Close the handles, which ends what is left; a second call does nothing."""
        self._job.close()
        self._port.close()
