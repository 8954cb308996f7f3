"""Filters of system calls in the kernel (seccomp(2), seccomp_unotify(2)): their code, and how a process takes one on.

A filter is a program of classic BPF over `struct seccomp_data`: the number of the call, the architecture, the address
of the instruction behind the call, and six arguments of 64 bits. Quick to import, since what runs above and below
strace needs it at once.
"""

import ctypes
import fcntl
import os
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = [
    "ALLOW",
    "ASK",
    "TRACE",
    "Condition",
    "Rule",
    "address",
    "argument",
    "assemble",
    "decide",
    "listen",
    "take_on",
]

ALLOW, TRACE, ASK = 0x7FFF0000, 0x7FF00000, 0x7FC00000
"""What a filter may answer: go on; stop for the tracer (ENOSYS without one); ask the listener."""
X86_64 = 0xC000003E
LOAD, AND, RETURN, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT = 0x20, 0x54, 0x06, 0x15, 0x35, 0x45
NUMBER, ARCHITECTURE, ADDRESS, ARGUMENTS = 0, 4, 8, 16
SYS_SECCOMP, SET_FILTER, NEW_LISTENER = 317, 1, 8
PR_SET_NO_NEW_PRIVS = 38
RECEIVE, SEND = 0xC0502100, 0xC0182101
REQUEST = struct.Struct("=QII iIQ 6Q")
"""struct seccomp_notif: id, pid, flags, and the call (number, architecture, address, arguments)."""
ANSWER = struct.Struct("=QqiI")
"""struct seccomp_notif_resp: id, result, error, flags."""
CONTINUE = 1


class Condition(NamedTuple):
    """A test of one 32-bit word of the call: is it the value, or not (`wanted`), by one of the comparisons."""

    offset: int
    value: int
    comparison: int = IF_EQUAL
    wanted: bool = True
    mask: int = 0xFFFFFFFF


class Rule(NamedTuple):
    """What becomes of a call: `action` when all conditions hold."""

    conditions: tuple[Condition, ...]
    action: int


def argument(position: int, *, high: bool = False) -> int:
    """Return where the lower (or upper) half of an argument stands; positions count from 0."""
    return ARGUMENTS + 8 * position + 4 * high


def address(*, high: bool = False) -> int:
    """Return where the lower (or upper) half of the address behind the call's instruction stands."""
    return ADDRESS + 4 * high


def _step(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when, otherwise, value)


def _code_of(rule: Rule) -> bytes:
    """Return the instructions of one rule; where a condition does not hold, it goes on behind them."""
    sizes = [3 if condition.mask != 0xFFFFFFFF else 2 for condition in rule.conditions]
    code = b""
    for position, condition in enumerate(rule.conditions):
        left = sum(sizes[position + 1 :]) + 1
        code += _step(LOAD, condition.offset)
        if sizes[position] == 3:
            code += _step(AND, condition.mask)
        code += _step(condition.comparison, condition.value, *((0, left) if condition.wanted else (left, 0)))
    return code + _step(RETURN, rule.action)


def assemble(calls: Mapping[int, Sequence[Rule]], *, foreign: int) -> bytes:
    """Return the filter for x86-64 that applies the first rule of a call that holds; other calls go on.

    `calls` is by number of the call; `foreign` is the answer to all calls of other architectures (32-bit programs).
    """
    code = _step(LOAD, ARCHITECTURE) + _step(IF_EQUAL, X86_64, 1, 0) + _step(RETURN, foreign) + _step(LOAD, NUMBER)
    for number, rules in calls.items():
        body = b"".join(map(_code_of, rules)) + _step(RETURN, ALLOW)
        code += _step(IF_EQUAL, number, 0, len(body) // 8) + body
    return code + _step(RETURN, ALLOW)


def take_on(program: bytes) -> None:
    """Put this process and all that it starts under a filter, for good.

    Raises:
        OSError: the kernel, or a filter of a container, refuses.
    """
    _install(program, 0)


def listen(program: bytes) -> int:
    """Do the same with a filter that asks, and return the descriptor for `decide` (kernel 5.0).

    Raises:
        OSError: the kernel, or a filter of a container, refuses.
    """
    return _install(program, NEW_LISTENER)


def _install(program: bytes, flags: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    filter_program = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        result: int = libc.syscall(SYS_SECCOMP, SET_FILTER, flags, filter_program)
        if result >= 0:
            return result
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), "seccomp(2)")


def decide(listener: int, longest: int) -> bool:
    """Answer one process that wants to take on a filter by prctl(2); tell whether it was made to believe that it has.

    The filter of up to `longest` instructions is taken on; a longer one is not, and its owner reads success.
    """
    buffer = bytearray(REQUEST.size)
    try:
        fcntl.ioctl(listener, RECEIVE, buffer)
    except OSError:  # it was killed before it was heard
        return False
    identity, pid, _, _, _, _, *arguments = REQUEST.unpack(buffer)
    pretend = _length_of(pid, arguments[2]) > longest
    try:
        fcntl.ioctl(listener, SEND, ANSWER.pack(identity, 0, 0, 0 if pretend else CONTINUE))
    except OSError:  # killed meanwhile
        return False
    return pretend


def _length_of(pid: int, where: int) -> int:
    """Return the number of instructions of the filter (struct sock_fprog) at an address of a process; 0 if unknown."""
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int.from_bytes(os.pread(memory, 2, where), "little")
    except (OSError, OverflowError):
        return 0
    finally:
        os.close(memory)
