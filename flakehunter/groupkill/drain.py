"""Read the pipes of a group to their end, but never for ever, and say who keeps them open."""

import os
import threading
import time
from pathlib import Path
from typing import IO, Any

__all__ = ["PipesHeldError", "drain", "pipe_holders"]


class PipesHeldError(TimeoutError):
    """The pipes did not end in time: `stdout` and `stderr` hold what was read, `holders` who keeps them open (pids)."""

    def __init__(self, timeout_s: float, stdout: Any, stderr: Any, holders: tuple[int, ...]) -> None:
        held = ", ".join(map(str, holders)) or "processes that cannot be seen"
        super().__init__(f"output not at its end after {timeout_s:g} s; kept open by {held}")
        self.stdout = stdout
        self.stderr = stderr
        self.holders = holders


def pipe_holders(stream: IO[Any] | int) -> tuple[int, ...]:
    """Return the pids of other processes that hold the pipe of `stream`; empty where /proc does not show it."""
    descriptor = stream if isinstance(stream, int) else stream.fileno()
    try:
        wanted = os.fstat(descriptor)
    except OSError:
        return ()
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd") if Path("/proc/self/fd").is_dir() else ():
        pid = int(folder.parent.name)
        if pid != os.getpid() and _holds(folder, wanted):
            found.append(pid)
    return tuple(sorted(found))


def _holds(folder: Path, wanted: os.stat_result) -> bool:
    try:
        for entry in folder.iterdir():
            try:
                status = entry.stat()
            except OSError:  # closed meanwhile
                continue
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except OSError:  # gone, or another user's
        return False
    return False


class _Reader(threading.Thread):
    def __init__(self, stream: IO[Any]) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.parts: list[Any] = []
        self.start()

    def run(self) -> None:
        # One by one: read() would give nothing at all when the time is over.
        read = getattr(self.stream, "read1", None)
        if read is None:
            for line in self.stream:
                self.parts.append(line)
            return
        while part := read(65536):
            self.parts.append(part)

    def text(self) -> Any:
        """Return what has been read so far."""
        empty: Any = "" if hasattr(self.stream, "encoding") else b""
        return empty.join(self.parts)


def _feed(stream: IO[Any], data: bytes | str | None) -> None:
    try:
        if data:
            stream.write(data)
        stream.close()
    except BrokenPipeError:  # the reader has ended, as in subprocess
        pass


def drain(
    stdin: IO[Any] | None,
    stdout: IO[Any] | None,
    stderr: IO[Any] | None,
    data: bytes | str | None,
    timeout_s: float | None,
) -> tuple[Any, Any]:
    """Write `data`, read both streams to their end, and return what was read; None for a stream that is no pipe.

    Raises:
        PipesHeldError: they did not end within `timeout_s` seconds.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    readers = [None if stream is None else _Reader(stream) for stream in (stdout, stderr)]
    if stdin is not None:
        threading.Thread(target=_feed, args=(stdin, data), daemon=True).start()
    for reader in readers:
        if reader is not None:
            reader.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
    read = [None if reader is None else reader.text() for reader in readers]
    held = [reader.stream for reader in readers if reader is not None and reader.is_alive()]
    if held and timeout_s is not None:
        holders = {pid for stream in held for pid in pipe_holders(stream)}
        raise PipesHeldError(timeout_s, read[0], read[1], tuple(sorted(holders)))
    return read[0], read[1]
