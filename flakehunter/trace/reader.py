"""Read the output of `strace -f -ttt -T`, in pieces of any size, as a stream of typed records.

A line is a whole system call, the beginning or the end of one (`<unfinished ...>`, `<... resumed>`), a signal, or the
end of a thread (strace(1)). What is not understood is counted, never an error: a trace that was cut anywhere still
gives what it can.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flakehunter.trace.native import FRAME

_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_RESULT = re.compile(r"(-?\d+|0x[0-9a-f]+|\?)")
_DURATION = re.compile(r"<(\d+\.\d+)>\s*$")
_ERROR = re.compile(r"\s*(E[A-Z0-9_]+)")
_SIGNAL = re.compile(r"--- (SIG\w+)(?: \{(.*)\})? ---")
_STOPPED = re.compile(r"--- stopped by (SIG\w+) ---")
_EXITED = re.compile(r"\+\+\+ exited with (-?\d+) \+\+\+")
_KILLED = re.compile(r"\+\+\+ killed by (\w+)(?: \(core dumped\))? \+\+\+")
_SUPERSEDED = re.compile(r"\+\+\+ superseded by execve in pid (\d+) \+\+\+")
_BROKEN_OFF = re.compile(r"<(?:unfinished|detached|pid changed to \d+) \.\.\.>$")
_TAKEN_OVER = "taken over"
_FIELD = re.compile(r"(\w+)=([^,}\s]+)")

_DULL = re.compile(
    # The questions that run-times ask by the dozen when they start (which handler is set, how large is this file), and
    # the libraries they load: half of all lines, and none of them says anything of processes.
    # So does launch.py, which comes before the command.
    rb"^\d+ +[\d.]+ (?:execve\([^ ]*, \[\"[^\"]*\", \"-I\", \"-S\", \"[^\"]*/trace/launch\.py\""
    rb"|rt_sigaction\(SIG\w+, NULL, "
    rb"|newfstatat\(\d+<[^>]*>, \"\", \{"
    rb"|openat\(AT_FDCWD<[^>]*>, \"/(?:usr/(?:lib|share)|lib|lib64|etc)/[^\"]*\", O_RDONLY)"
    rb".* = -?\d+"
)

LONGEST_LINE = 1 << 20
"""Characters after which a line without an end is given up; strace's own lines stay far below."""


@dataclass(slots=True)
class Call:
    """One system call; `result` and `returned` are None while it runs, and stay so when the trace ends first."""

    tid: int
    name: str
    arguments: str
    """The text between the brackets; for a call that is still running, what strace printed at its start."""
    entered: float
    """Seconds since the epoch."""
    returned: float | None = None
    result: int | None = None
    error: str = ""
    """Name of the error, such as ESRCH; empty when the call succeeded."""
    note: str = ""
    """What strace prints after the result: for poll and select, the descriptors that are ready."""
    values: dict[str, object] = field(default_factory=dict)
    """What readers of the record noted at its start and want to find again at its end."""
    frames: list[str] = field(default_factory=list)
    """Native stack, innermost first, as strace -k prints it; empty without, and for a call that was broken off."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A system call begins."""

    call: Call


@dataclass(frozen=True, slots=True)
class Returned:
    """A system call has ended."""

    call: Call


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal was delivered to a thread."""

    tid: int
    time: float
    signal: str
    sender: int | None
    """Process that sent it (or, for SIGCHLD, that ended); None when strace does not say or the kernel sent it."""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A thread has ended: `status` as Popen.returncode has it, negative for a signal (by name in `signal`)."""

    tid: int
    time: float
    status: int | None
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A thread of a process called execve: it takes over the process's id, and every other thread is gone."""

    tid: int
    time: float
    by: int


Record = Entered | Returned | Signalled | Ended | Superseded


class Reader:
    """Turns pieces of strace's output into records, in the order in which strace saw them.

    With `stacks` a call is kept back until its native stack was read, which stands below it.

    Attributes:
        lines: how many lines were read.
        not_understood: how many of them were of no known form.
    """

    def __init__(self, *, stacks: bool = False) -> None:
        self._stacks = stacks
        self._held: list[Record] = []
        self.lines = 0
        self.not_understood = 0
        self._rest = b""
        self._running: dict[int, Call] = {}

    def feed(self, piece: bytes) -> Iterator[Record]:
        """Yield the records of all lines that are complete with `piece`."""
        whole, newline, rest = (self._rest + piece).rpartition(b"\n")
        self._rest = rest[-LONGEST_LINE:]
        if newline:
            for line in whole.split(b"\n"):
                if self._stacks:
                    yield from self._with_stack(line)
                elif _DULL.search(line):
                    self.lines += 1
                else:
                    yield from self._line(line.decode("utf-8", "replace"))

    def finish(self) -> Iterator[Record]:
        """Yield what a last line without an end gives; calls that are still running just never return."""
        held, self._held = self._held, []
        yield from held
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._line(rest.decode("utf-8", "replace"))

    def _with_stack(self, line: bytes) -> Iterator[Record]:
        if line.startswith(FRAME):
            for record in self._held:
                if isinstance(record, Returned):
                    record.call.frames.append(line.decode("utf-8", "replace"))
            return
        held, self._held = self._held, list(self._line(line.decode("utf-8", "replace")))
        yield from held

    def _line(self, line: str) -> Iterator[Record]:
        if not line:
            return
        self.lines += 1
        parts = _LINE.match(line)
        if parts is None:
            self.not_understood += 1
            return
        tid, time, text = int(parts[1]), float(parts[2]), parts[3]
        if text.startswith("<..."):
            yield from self._resumed(tid, time, text)
        elif text.startswith("---"):
            yield from self._signal(tid, time, text)
        elif text.startswith("+++"):
            yield from self._end(tid, time, text)
        else:
            yield from self._call(tid, time, text)

    def _call(self, tid: int, time: float, text: str) -> Iterator[Record]:
        parts = _CALL.match(text)
        if parts is None:
            self.not_understood += 1
            return
        name, rest = parts[1], parts[2]
        broken_off = _BROKEN_OFF.search(rest)
        if broken_off:
            call = Call(tid, name, rest[: broken_off.start()].rstrip().rstrip(","), time)
            self._running[tid] = call
            yield Entered(call)
            return
        call = Call(tid, name, "", time)
        if not self._result(call, rest, time):
            # Cut in the middle: the call has begun, and that is all there is to know.
            call.arguments = rest
            self.not_understood += 1
            self._running[tid] = call
            yield Entered(call)
            return
        yield Entered(call)
        yield Returned(call)

    def _resumed(self, tid: int, time: float, text: str) -> Iterator[Record]:
        parts = _RESUMED.match(text)
        call = self._running.pop(tid, None)
        if parts is None:
            self.not_understood += 1
            return
        if call is None or call.name != parts[1]:
            # Its beginning was never seen (strace attached late, or the line is lost).
            call = Call(tid, parts[1], "", time)
            yield Entered(call)
        head = call.arguments
        if not self._result(call, parts[2], call.entered):
            self.not_understood += 1
            return
        if _TAKEN_OVER in call.values:
            # Of an execve by a thread strace shows a result that is none; the old program is gone, so it succeeded.
            call.result, call.error = 0, ""
        call.returned = time
        tail = call.arguments
        call.arguments = f"{head}, {tail}" if head and tail and not tail.startswith((",", ")")) else head + tail
        yield Returned(call)

    def _result(self, call: Call, rest: str, entered: float) -> bool:
        """Split `rest` into arguments and result, into `call`; tell whether there was a result."""
        # The last " = " that is followed by a result: arguments may hold any text themselves.
        position = rest.rfind(" = ")
        while position != -1:
            head = rest[:position].rstrip()
            result = _RESULT.match(rest, position + 3)
            if result and head.endswith(")"):
                call.arguments = head[:-1]
                self._set_result(call, result[1], rest[result.end() :], entered)
                return True
            position = rest.rfind(" = ", 0, position)
        return False

    @staticmethod
    def _set_result(call: Call, result: str, tail: str, entered: float) -> None:
        call.result = None if result == "?" else int(result, 0)
        if (error := _ERROR.match(tail)) and (call.result is None or call.result < 0):
            call.error = error[1]
        call.note = tail
        duration = _DURATION.search(tail)
        call.returned = entered + float(duration[1]) if duration else entered

    def _signal(self, tid: int, time: float, text: str) -> Iterator[Record]:
        if _STOPPED.match(text):
            return
        parts = _SIGNAL.match(text)
        if parts is None:
            self.not_understood += 1
            return
        fields = dict(_FIELD.findall(parts[2] or ""))
        sender = fields.get("si_pid", "")
        yield Signalled(
            tid, time, parts[1], int(sender) if sender.isdigit() and sender != "0" else None, fields.get("si_code", "")
        )

    def _end(self, tid: int, time: float, text: str) -> Iterator[Record]:
        ended = self._running.pop(tid, None)
        if parts := _EXITED.match(text):
            yield Ended(tid, time, int(parts[1]))
        elif parts := _KILLED.match(text):
            yield Ended(tid, time, None, parts[1])
        elif parts := _SUPERSEDED.match(text):
            yield Superseded(tid, time, int(parts[1]))
            execve = self._running.pop(int(parts[1]), ended)
            if execve is not None:
                execve.tid, execve.values[_TAKEN_OVER] = tid, True
                self._running[tid] = execve
        else:
            self.not_understood += 1


def read_records(pieces: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of a whole trace, given in pieces of any size."""
    reader = Reader()
    for piece in pieces:
        yield from reader.feed(piece)
    yield from reader.finish()
