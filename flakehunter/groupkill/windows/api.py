"""The Win32 calls that Job Objects need, through ctypes; failures are OSErrors with `winerror` and the call's name."""

import sys

assert sys.platform == "win32"

import ctypes
from collections.abc import Sequence
from ctypes import wintypes

ERROR_ACCESS_DENIED = 5
ERROR_INVALID_PARAMETER = 87
ERROR_INTERNAL_ERROR = 1359
WAIT_OBJECT_0 = 0
INFINITE = 0xFFFFFFFF

CREATE_SUSPENDED = 0x00000004
CREATE_NEW_PROCESS_GROUP = 0x00000200
CREATE_UNICODE_ENVIRONMENT = 0x00000400
EXTENDED_STARTUPINFO_PRESENT = 0x00080000
STARTF_USESTDHANDLES = 0x00000100
PROC_THREAD_ATTRIBUTE_HANDLE_LIST = 0x00020002
PROC_THREAD_ATTRIBUTE_JOB_LIST = 0x0002000D

PROCESS_TERMINATE = 0x0001
PROCESS_SET_QUOTA = 0x0100
PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
SYNCHRONIZE = 0x00100000

JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
JobObjectBasicAccountingInformation = 1
JobObjectBasicProcessIdList = 3
JobObjectAssociateCompletionPortInformation = 7
JobObjectExtendedLimitInformation = 9
JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO = 4
JOB_OBJECT_MSG_NEW_PROCESS = 6

kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
ntdll = ctypes.WinDLL("ntdll")

_HANDLE, _DWORD, _POINTER = wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p
_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "CreateJobObjectW": (_HANDLE, (_POINTER, wintypes.LPCWSTR)),
    "SetInformationJobObject": (wintypes.BOOL, (_HANDLE, ctypes.c_int, _POINTER, _DWORD)),
    "QueryInformationJobObject": (wintypes.BOOL, (_HANDLE, ctypes.c_int, _POINTER, _DWORD, _POINTER)),
    "AssignProcessToJobObject": (wintypes.BOOL, (_HANDLE, _HANDLE)),
    "TerminateJobObject": (wintypes.BOOL, (_HANDLE, wintypes.UINT)),
    "IsProcessInJob": (wintypes.BOOL, (_HANDLE, _HANDLE, _POINTER)),
    "CreateIoCompletionPort": (_HANDLE, (_HANDLE, _HANDLE, ctypes.c_size_t, _DWORD)),
    "GetQueuedCompletionStatus": (wintypes.BOOL, (_HANDLE, _POINTER, _POINTER, _POINTER, _DWORD)),
    "CreateProcessW": (
        wintypes.BOOL,
        (
            wintypes.LPCWSTR,
            wintypes.LPWSTR,
            _POINTER,
            _POINTER,
            wintypes.BOOL,
            _DWORD,
            _POINTER,
            wintypes.LPCWSTR,
            _POINTER,
            _POINTER,
        ),
    ),
    "InitializeProcThreadAttributeList": (wintypes.BOOL, (_POINTER, _DWORD, _DWORD, _POINTER)),
    "UpdateProcThreadAttribute": (
        wintypes.BOOL,
        (_POINTER, _DWORD, ctypes.c_size_t, _POINTER, ctypes.c_size_t, _POINTER, _POINTER),
    ),
    "DeleteProcThreadAttributeList": (None, (_POINTER,)),
    "OpenProcess": (_HANDLE, (_DWORD, wintypes.BOOL, _DWORD)),
    "TerminateProcess": (wintypes.BOOL, (_HANDLE, wintypes.UINT)),
    "GetExitCodeProcess": (wintypes.BOOL, (_HANDLE, _POINTER)),
    "GetProcessTimes": (wintypes.BOOL, (_HANDLE, _POINTER, _POINTER, _POINTER, _POINTER)),
    "WaitForSingleObject": (_DWORD, (_HANDLE, _DWORD)),
    "GetProcessAffinityMask": (wintypes.BOOL, (_HANDLE, _POINTER, _POINTER)),
    "SetProcessAffinityMask": (wintypes.BOOL, (_HANDLE, ctypes.c_size_t)),
    "ResumeThread": (_DWORD, (_HANDLE,)),
    "CloseHandle": (wintypes.BOOL, (_HANDLE,)),
    "GenerateConsoleCtrlEvent": (wintypes.BOOL, (_DWORD, _DWORD)),
    "GetCurrentProcess": (_HANDLE, ()),
}
for _name, (_result, _arguments) in _SIGNATURES.items():
    _function = getattr(kernel32, _name)
    _function.restype = _result
    _function.argtypes = _arguments


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", _DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", _DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", _DWORD),
        ("SchedulingClass", _DWORD),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("Basic", BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class Accounting(ctypes.Structure):
    """JOBOBJECT_BASIC_ACCOUNTING_INFORMATION."""

    _fields_ = (
        ("Times", ctypes.c_int64 * 4),
        ("TotalPageFaultCount", _DWORD),
        ("TotalProcesses", _DWORD),
        ("ActiveProcesses", _DWORD),
        ("TotalTerminatedProcesses", _DWORD),
    )


class PortAssociation(ctypes.Structure):
    """JOBOBJECT_ASSOCIATE_COMPLETION_PORT."""

    _fields_ = (("CompletionKey", _POINTER), ("CompletionPort", _HANDLE))


class StartupInfo(ctypes.Structure):
    """STARTUPINFOEXW."""

    _fields_ = (
        ("cb", _DWORD),
        ("lpReserved", wintypes.LPWSTR),
        ("lpDesktop", wintypes.LPWSTR),
        ("lpTitle", wintypes.LPWSTR),
        ("numbers", _DWORD * 7),
        ("dwFlags", _DWORD),
        ("wShowWindow", wintypes.WORD),
        ("cbReserved2", wintypes.WORD),
        ("lpReserved2", _POINTER),
        ("hStdInput", _HANDLE),
        ("hStdOutput", _HANDLE),
        ("hStdError", _HANDLE),
        ("lpAttributeList", _POINTER),
    )


class ProcessInformation(ctypes.Structure):
    """PROCESS_INFORMATION."""

    _fields_ = (("hProcess", _HANDLE), ("hThread", _HANDLE), ("dwProcessId", _DWORD), ("dwThreadId", _DWORD))


def failed(call: str) -> OSError:
    """Return the error of the call that has just failed."""
    code = ctypes.get_last_error()
    return ctypes.WinError(code, f"{call}: {ctypes.FormatError(code).strip()}")


def check(result: object, call: str) -> None:
    """Raise the error of `call` when its result is zero."""
    if not result:
        raise failed(call)


class Handle:
    """A kernel handle that is closed exactly once."""

    def __init__(self, value: int | None, call: str) -> None:
        if not value or value == -1:
            raise failed(call)
        self._value: int | None = int(value)

    @property
    def value(self) -> int:
        """Return the handle.

        Raises:
            ValueError: it has been closed; its number may be another object's by now.
        """
        if self._value is None:
            raise ValueError("the handle is closed")
        return self._value

    def close(self) -> None:
        """Close it; a second call does nothing."""
        value, self._value = self._value, None
        if value is not None:
            check(kernel32.CloseHandle(value), "CloseHandle")


def open_process(pid: int) -> Handle | None:
    """Return a handle to look at and wait for `pid`; None when it is gone or not ours to look at."""
    value = kernel32.OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
    return Handle(value, "OpenProcess") if value else None


def has_ended(process: Handle, timeout_s: float = 0.0) -> bool:
    """Wait for the process itself: an exit code may be 259 = STILL_ACTIVE, but a handle cannot be misread."""
    return bool(kernel32.WaitForSingleObject(process.value, max(0, round(timeout_s * 1000))) == WAIT_OBJECT_0)


def exit_code(process: Handle) -> int:
    """Return the exit code; only true of a process whose handle says that it has ended."""
    code = _DWORD()
    check(kernel32.GetExitCodeProcess(process.value, ctypes.byref(code)), "GetExitCodeProcess")
    return code.value


def start_time(process: Handle) -> int:
    """Return when it started, in units of 100 ns since 1601: with the pid its identity."""
    times = [wintypes.FILETIME() for _ in range(4)]
    check(kernel32.GetProcessTimes(process.value, *map(ctypes.byref, times)), "GetProcessTimes")
    return (times[0].dwHighDateTime << 32) | times[0].dwLowDateTime


def bind_to_one_cpu(process: Handle) -> None:
    """Bind a process, and all that it starts from now on, to the first CPU that this process may use."""
    mine, all_cpus = ctypes.c_size_t(), ctypes.c_size_t()
    ours = kernel32.GetCurrentProcess()
    done = kernel32.GetProcessAffinityMask(ours, ctypes.byref(mine), ctypes.byref(all_cpus))
    check(done, "GetProcessAffinityMask")
    check(kernel32.SetProcessAffinityMask(process.value, mine.value & -mine.value), "SetProcessAffinityMask")


class AttributeList:
    """A PROC_THREAD_ATTRIBUTE_LIST with the handles to inherit and the job to be created in."""

    def __init__(self, handles: Sequence[int], job: int | None) -> None:
        self._kept: list[object] = []
        wanted = [(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, list(handles))]
        if job is not None:
            wanted.append((PROC_THREAD_ATTRIBUTE_JOB_LIST, [job]))
        size = ctypes.c_size_t()
        kernel32.InitializeProcThreadAttributeList(None, len(wanted), 0, ctypes.byref(size))
        self.buffer = ctypes.create_string_buffer(size.value)
        ready = kernel32.InitializeProcThreadAttributeList(self.buffer, len(wanted), 0, ctypes.byref(size))
        check(ready, "InitializeProcThreadAttributeList")
        for attribute, values in wanted:
            array = (_HANDLE * len(values))(*values)
            self._kept.append(array)  # the list only points to it
            done = kernel32.UpdateProcThreadAttribute(
                self.buffer, 0, attribute, ctypes.byref(array), ctypes.sizeof(array), None, None
            )
            check(done, "UpdateProcThreadAttribute")

    def delete(self) -> None:
        """Give it back."""
        kernel32.DeleteProcThreadAttributeList(self.buffer)
