"""A trial from the harness's side: the spec goes to its supervisor by a socket, and the report comes back."""

import sys

assert sys.platform == "linux"

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flakehunter.repro.trial import ProcessRecord, TrialError, TrialReport, TrialSpec

__all__ = ["SocketTrial"]


class SocketTrial:
    """A trial that a supervisor runs; the socket to it is its lifeline."""

    def __init__(self, nursery: socket.socket, spec: TrialSpec) -> None:
        """Have `nursery` fork a supervisor and give it `spec`.

        Raises:
            TrialError: the nursery or the supervisor is dead.
        """
        self._ours, theirs = socket.socketpair()
        try:
            with theirs:
                _send(nursery, theirs)
            self._ours.sendall(json.dumps(asdict(spec) | {"loads_wait": spec.loads_wait}).encode() + b"\n")
        except OSError as error:
            self.close()
            raise TrialError(f"a trial's supervisor died: {error}", hint="look for what killed it") from error
        except BaseException:
            self.close()
            raise

    def finish(self) -> TrialReport:
        """Wait for the report; an interruption (KeyboardInterrupt, SIGTERM) ends the trial by closing its lifeline.

        Raises:
            TrialError: the supervisor died, or could not do its work.
        """
        try:
            answer = _read_line(self._ours)
        except OSError as error:
            raise TrialError(f"a trial's supervisor died: {error}", hint="look for what killed it") from error
        finally:
            self.close()
        if not answer:
            raise TrialError(
                "a trial's supervisor died before it reported; what it had started has been ended",
                hint="something killed it: look at the kernel log for the OOM killer",
            )
        return _parse(json.loads(answer))

    def close(self) -> None:
        """Close the lifeline."""
        self._ours.close()


def _send(nursery: socket.socket, theirs: socket.socket) -> None:
    try:
        socket.send_fds(nursery, [b"T"], [theirs.fileno()])
    except OSError as error:
        raise TrialError(
            f"the process that forks the trials died: {error}", hint="run again; with --cold if it happens again"
        ) from error


def _read_line(stream: socket.socket) -> bytes:
    parts = []
    while part := stream.recv(1 << 20):
        parts.append(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
    return b""


def _parse(answer: Mapping[str, Any]) -> TrialReport:
    if "broken" in answer:
        raise TrialError(f"a trial's supervisor broke: {answer['broken']}", hint="this is a bug of flakehunter")
    records = [_record(row) for row in answer["processes"]]
    return TrialReport(
        status=answer["status"],
        hung=answer["hung"],
        duration_s=answer["duration_s"],
        processes=tuple(records),
        clean=answer["clean"],
        errors=tuple(answer["errors"]),
        window_opened=answer["window_opened"],
        delay_missed=answer.get("delay_missed", False),
    )


def _record(row: Mapping[str, Any]) -> ProcessRecord:
    values = {name: row[name] for name in ProcessRecord.__slots__ if name in row}
    values["signals"] = tuple((name, moment, by) for name, moment, by in row.get("signals", ()))
    return ProcessRecord(**values)
