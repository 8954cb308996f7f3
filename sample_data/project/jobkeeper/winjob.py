"""Windows: jobs in Job Objects, so that all their processes end together (Win32 through ctypes)."""

import ctypes
import subprocess
import sys
from collections.abc import Sequence
from ctypes import wintypes
from dataclasses import dataclass

assert sys.platform == "win32"

STILL_ACTIVE = 259
ERROR_ACCESS_DENIED = 5
CREATE_SUSPENDED = 0x4
JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
JOB_OBJECT_EXTENDED_LIMIT_INFORMATION = 9
JOB_OBJECT_BASIC_ACCOUNTING_INFORMATION = 1

kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
ntdll = ctypes.WinDLL("ntdll")
for _name, _types in {
    "CreateJobObjectW": (wintypes.LPVOID, wintypes.LPCWSTR),
    "SetInformationJobObject": (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD),
    "QueryInformationJobObject": (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD, wintypes.LPVOID),
    "AssignProcessToJobObject": (wintypes.HANDLE, wintypes.HANDLE),
    "GetExitCodeProcess": (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD)),
    "TerminateJobObject": (wintypes.HANDLE, wintypes.UINT),
    "CloseHandle": (wintypes.HANDLE,),
}.items():
    getattr(kernel32, _name).argtypes = _types
kernel32.CreateJobObjectW.restype = wintypes.HANDLE


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("Basic", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class _Accounting(ctypes.Structure):
    _fields_ = (
        ("Times", ctypes.c_int64 * 4),
        ("TotalPageFaultCount", wintypes.DWORD),
        ("TotalProcesses", wintypes.DWORD),
        ("ActiveProcesses", wintypes.DWORD),
        ("TotalTerminatedProcesses", wintypes.DWORD),
    )


def _check(ok: int, function: str) -> None:
    if not ok:
        code = ctypes.get_last_error()
        raise ctypes.WinError(code, f"{function}: {ctypes.FormatError(code)}")


class JobObject:
    """A Job Object that ends its members when it is closed."""

    def __init__(self) -> None:
        self.handle = kernel32.CreateJobObjectW(None, None)
        _check(self.handle, "CreateJobObject")
        limits = _ExtendedLimits()
        limits.Basic.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        kind = JOB_OBJECT_EXTENDED_LIMIT_INFORMATION
        _check(
            kernel32.SetInformationJobObject(self.handle, kind, ctypes.byref(limits), ctypes.sizeof(limits)),
            "SetInformationJobObject",
        )

    def assign(self, process: "subprocess.Popen[str]") -> None:
        """Make a running process a member; OSError with winerror 5 when it has ended."""
        _check(kernel32.AssignProcessToJobObject(self.handle, int(process._handle)), "AssignProcessToJobObject")

    def total_processes(self) -> int:
        """Return how many processes have ever been members."""
        return self._accounting().TotalProcesses

    def active_processes(self) -> int:
        """Return how many members are alive."""
        return self._accounting().ActiveProcesses

    def terminate(self, code: int = 1) -> None:
        """End all members with the exit code `code`."""
        _check(kernel32.TerminateJobObject(self.handle, code), "TerminateJobObject")

    def close(self) -> None:
        """Give the handle back, which ends what is left."""
        kernel32.CloseHandle(self.handle)

    def _accounting(self) -> _Accounting:
        answer = _Accounting()
        kind = JOB_OBJECT_BASIC_ACCOUNTING_INFORMATION
        size = ctypes.sizeof(answer)
        _check(
            kernel32.QueryInformationJobObject(self.handle, kind, ctypes.byref(answer), size, None),
            "QueryInformationJobObject",
        )
        return answer


@dataclass(frozen=True, slots=True)
class Started:
    """A command with its Job Object, and the first line it has printed."""

    process: "subprocess.Popen[str]"
    job: JobObject
    hello: str

    def finish(self, timeout_s: float) -> int:
        """Wait for the command, close the Job Object and return the exit code."""
        code = self.process.wait(timeout_s)
        self.job.close()
        self.process.stdout.close()
        return code


def start(argv: Sequence[str]) -> Started:
    """Start a command, wait for its first line, and put it into a Job Object."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    hello = process.stdout.readline()
    job = JobObject()
    job.assign(process)
    return Started(process, job, hello)


def start_tolerant(argv: Sequence[str]) -> Started:
    """Do as `start`, for a command that may have ended before it is put into the Job Object."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    hello = process.stdout.readline()
    job = JobObject()
    assign_unless_ended(job, process)
    return Started(process, job, hello)


def start_suspended(argv: Sequence[str]) -> Started:
    """Create a command suspended, put it into a Job Object, and only then let it run."""
    job = JobObject()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, creationflags=CREATE_SUSPENDED)
    job.assign(process)
    ntdll.NtResumeProcess(wintypes.HANDLE(int(process._handle)))
    return Started(process, job, process.stdout.readline())


def assign_unless_ended(job: JobObject, process: "subprocess.Popen[str]") -> bool:
    """Make a process a member and return True; False when it has ended.

    The exit code is looked at first, and the error is still caught: the process can end between the two calls.
    """
    code = wintypes.DWORD()
    _check(kernel32.GetExitCodeProcess(int(process._handle), ctypes.byref(code)), "GetExitCodeProcess")
    if code.value != STILL_ACTIVE:
        print(f"process {process.pid} has already ended with {code.value}: not assigned to the job")
        return False
    try:
        job.assign(process)
    except OSError as error:
        # Error 5 has other causes, which must be seen: only the handle may say that the process has ended.
        # The exit code may not: 259 is STILL_ACTIVE and an exit code like any other.
        if error.winerror != ERROR_ACCESS_DENIED or not _has_ended(process):
            raise
        print(f"process {process.pid} ended while it was assigned to the job")
        return False
    return True


def _has_ended(process: "subprocess.Popen[str]") -> bool:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        return False
    return True
