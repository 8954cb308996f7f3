"""Create a Windows process, inside a Job Object from its first instruction where that is asked for."""

import sys

assert sys.platform == "win32"

import ctypes
import msvcrt
import os
import subprocess
from collections.abc import Mapping
from typing import IO, Any

from flakehunter.groupkill.command import Command, StartError, Stream
from flakehunter.groupkill.windows import api

__all__ = ["WindowsProcess", "create_process", "environment_block"]

STARTS = 3
"""How often a start is tried that ends with ERROR_INTERNAL_ERROR.

Wine says so, now and then on a loaded machine, when the new process died before its first instruction
(NtCreateUserProcess: STATUS_INTERNAL_ERROR). Nothing of it has run."""


class WindowsProcess:
    """A process that was created here: its handle stays open, so its pid is given to nobody else."""

    def __init__(self, pid: int, process: api.Handle, thread: api.Handle | None) -> None:
        self.pid = pid
        self.process = process
        self.thread = thread
        self.stdin: IO[Any] | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None

    @property
    def returncode(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return api.exit_code(self.process) if api.has_ended(self.process) else None

    def resume(self) -> None:
        """Let a process that was created suspended run; a second call does nothing."""
        thread, self.thread = self.thread, None
        if thread is not None:
            try:
                if api.kernel32.ResumeThread(thread.value) == 0xFFFFFFFF:
                    raise api.failed("ResumeThread")
            finally:
                thread.close()

    def kill(self) -> None:
        """End this one process; one that has ended already is no error."""
        if not api.kernel32.TerminateProcess(self.process.value, 1) and not api.has_ended(self.process, 1.0):
            raise api.failed("TerminateProcess")

    def close(self) -> None:
        """Close handles and pipes."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was buffered for a dead reader
                    pass
        if self.thread is not None:
            self.thread.close()
        self.process.close()


def environment_block(env: Mapping[str, str]) -> Any:
    """Return the environment as CreateProcessW wants it: NUL between entries, sorted without regard to case."""
    entries = [f"{name}={value}" for name, value in sorted(env.items(), key=lambda item: item[0].upper())]
    return ctypes.create_unicode_buffer("\0".join(entries) + "\0\0")


class _Streams:
    """The three standard handles of a child, and our ends of the pipes among them."""

    def __init__(self, command: Command) -> None:
        self.ours: list[IO[Any] | None] = [None, None, None]
        self._to_close: list[int] = []
        self.handles: list[int] = []
        for index, stream in enumerate((command.stdin, command.stdout, command.stderr)):
            if index == 2 and stream == subprocess.STDOUT:
                self.handles.append(self.handles[1])
            else:
                self.handles.append(self._handle(index, stream, command.text))

    def _handle(self, index: int, stream: Stream, text: bool) -> int:
        if stream == subprocess.PIPE:
            read, write = os.pipe()
            theirs, ours = (read, write) if index == 0 else (write, read)
            mode = ("w" if index == 0 else "r") + ("" if text else "b")
            self.ours[index] = open(ours, mode)  # noqa: PTH123, SIM115 - closed with the process
            self._to_close.append(theirs)
            descriptor = theirs
        elif stream == subprocess.DEVNULL:
            descriptor = os.open(os.devnull, os.O_RDWR)
            self._to_close.append(descriptor)
        elif stream is None:
            descriptor = index
        else:
            descriptor = stream if isinstance(stream, int) else stream.fileno()
        handle = msvcrt.get_osfhandle(descriptor)
        os.set_handle_inheritable(handle, True)
        return handle

    def close_theirs(self) -> None:
        for descriptor in self._to_close:
            os.close(descriptor)


def create_process(command: Command, *, job: int | None = None, flags: int = 0) -> WindowsProcess:
    """Create a process; with `job` (a handle) inside that Job Object, before its first instruction.

    Raises:
        StartError: it could not be created; `errno` is the Windows error code.
        OSError: this system does not know job lists (winerror 87), which is tried before anything was started.
    """
    streams = _Streams(command)
    attributes = None
    try:
        attributes = api.AttributeList(sorted(set(streams.handles)), job)
        started = _create(command, streams, attributes, flags)
    except BaseException:
        for stream in streams.ours:
            if stream is not None:
                stream.close()
        raise
    finally:
        if attributes is not None:
            attributes.delete()
        streams.close_theirs()
    started.stdin, started.stdout, started.stderr = streams.ours
    return started


def _create(command: Command, streams: _Streams, attributes: api.AttributeList, flags: int) -> WindowsProcess:
    info = api.StartupInfo()
    info.cb = ctypes.sizeof(info)
    info.dwFlags = api.STARTF_USESTDHANDLES
    info.hStdInput, info.hStdOutput, info.hStdError = streams.handles
    info.lpAttributeList = ctypes.cast(attributes.buffer, ctypes.c_void_p)
    made = api.ProcessInformation()
    text = subprocess.list2cmdline(command.argv)
    block = None if command.env is None else environment_block(command.env)
    folder = None if command.cwd is None else os.fspath(command.cwd)
    every = flags | api.EXTENDED_STARTUPINFO_PRESENT | api.CREATE_UNICODE_ENVIRONMENT
    for _ in range(STARTS):
        line = ctypes.create_unicode_buffer(text)  # CreateProcessW may write into it
        ok = api.kernel32.CreateProcessW(
            None, line, None, None, True, every, block, folder, ctypes.byref(info), ctypes.byref(made)
        )
        if ok or ctypes.get_last_error() != api.ERROR_INTERNAL_ERROR:
            break
    if not ok:
        error = api.failed("CreateProcess")
        hint = "no such program on the PATH, or it is no .exe" if error.winerror in (2, 3, 193) else None
        raise StartError(
            f"cannot run {command.argv[0]!r}: {ctypes.FormatError(error.winerror).strip()} (error {error.winerror})",
            argv=command.argv,
            errno=error.winerror or 0,
            hint=hint,
        )
    thread = api.Handle(made.hThread, "CreateProcess")
    started = WindowsProcess(made.dwProcessId, api.Handle(made.hProcess, "CreateProcess"), thread)
    if not flags & api.CREATE_SUSPENDED:
        thread.close()
        started.thread = None
    return started
