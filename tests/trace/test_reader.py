"""The reader of strace's output: every form of line, any cut, any bytes."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample import V1S

from flakehunter.trace.reader import Call, Ended, Entered, Reader, Record, Returned, Signalled, Superseded, read_records


def records(text: str | bytes) -> list[Record]:
    return list(read_records([text.encode() if isinstance(text, str) else text]))


def shape(found: list[Record]) -> list[tuple[object, ...]]:
    """What records say, without the identity of the calls, whose results come later."""
    return [
        (type(one).__name__, one.call.tid, one.call.name) if isinstance(one, Entered | Returned) else (one,)
        for one in found
    ]


def test_whole_call_gives_its_beginning_and_its_end() -> None:
    entered, returned = records("12  100.500000 kill(34, SIGTERM) = -1 ESRCH (No such process) <0.000250>\n")
    assert isinstance(entered, Entered)
    assert isinstance(returned, Returned)
    assert returned.call == Call(
        12, "kill", "34, SIGTERM", 100.5, 100.50025, -1, "ESRCH", " ESRCH (No such process) <0.000250>"
    )


def test_unfinished_call_is_put_together_with_its_end() -> None:
    text = "12  100.0 wait4(13,  <unfinished ...>\n13  100.2 +++ exited with 3 +++\n"
    text += "12  100.3 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 13 <0.300000>\n"
    entered, ended, returned = records(text)
    assert isinstance(entered, Entered)
    assert ended == Ended(13, 100.2, 3)
    assert isinstance(returned, Returned)
    assert returned.call is entered.call
    assert (returned.call.arguments, returned.call.result, returned.call.returned) == (
        "13, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL",
        13,
        100.3,
    )


def test_text_in_arguments_is_not_taken_for_a_result() -> None:
    [_, returned] = records('12  100.0 write(1<pipe:[7]>, "a) = -1 EPERM\\n", 14) = 14 <0.000010>\n')
    assert isinstance(returned, Returned)
    assert (returned.call.result, returned.call.error) == (14, "")


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (
            "7  1.0 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=9, si_uid=0, si_status=SIGTERM} ---",
            Signalled(7, 1.0, "SIGCHLD", 9, "CLD_KILLED"),
        ),
        ("7  1.0 --- SIGHUP {si_signo=SIGHUP, si_code=SI_KERNEL} ---", Signalled(7, 1.0, "SIGHUP", None, "SI_KERNEL")),
        ("7  1.0 +++ exited with 0 +++", Ended(7, 1.0, 0)),
        ("7  1.0 +++ killed by SIGSEGV (core dumped) +++", Ended(7, 1.0, None, "SIGSEGV")),
        ("7  1.0 +++ superseded by execve in pid 8 +++", Superseded(7, 1.0, 8)),
    ],
    ids=["from a process", "from the kernel", "exit", "core dump", "exec of a thread"],
)
def test_other_lines_become_records(line: str, record: Record) -> None:
    assert records(line + "\n") == [record]


def test_stop_is_no_signal() -> None:
    assert records("7  1.0 --- stopped by SIGSTOP ---\n") == []


def test_end_without_a_beginning_is_still_a_call() -> None:
    entered, returned = records('7  1.0 <... read resumed>"x", 10) = 1 <0.5>\n')
    assert isinstance(entered, Entered)
    assert isinstance(returned, Returned)
    assert returned.call.result == 1


def test_lines_that_are_none_are_counted() -> None:
    reader = Reader()
    assert list(reader.feed(b"strace: something\n7 1.0 !!\n7 1.0 +++ what +++\n")) == []
    assert (reader.lines, reader.not_understood) == (3, 3)


@pytest.mark.parametrize(
    ("line", "dull"),
    [
        ("7  1.0 rt_sigaction(SIGTERM, NULL, {sa_handler=SIG_DFL}, 8) = 0 <0.1>", True),
        ("7  1.0 rt_sigaction(SIGTERM, {sa_handler=0x5}, NULL, 8) = 0 <0.1>", False),
        ('7  1.0 openat(AT_FDCWD</x>, "/usr/lib/libc.so.6", O_RDONLY|O_CLOEXEC) = 3</usr/lib/libc.so.6> <0.1>', True),
        ('7  1.0 openat(AT_FDCWD</x>, "/usr/lib/libc.so.6", O_RDONLY|O_CLOEXEC <unfinished ...>', False),
        ('7  1.0 openat(AT_FDCWD</x>, "/proc/7/stat", O_RDONLY|O_CLOEXEC) = 3</proc/7/stat> <0.1>', False),
        ('7  1.0 newfstatat(3</x>, "", {st_mode=S_IFREG|0644, st_size=5, ...}, AT_EMPTY_PATH) = 0 <0.1>', True),
        ('7  1.0 newfstatat(AT_FDCWD</x>, "/tmp/a.pid", {st_mode=S_IFREG, ...}, 0) = 0 <0.1>', False),
    ],
)
def test_lines_that_say_nothing_of_processes_give_no_records(line: str, dull: bool) -> None:
    reader = Reader()
    assert bool(list(reader.feed(line.encode() + b"\n"))) is not dull
    assert reader.lines == 1


def test_real_trace_is_understood_to_the_last_line() -> None:
    reader = Reader()
    assert len(list(reader.feed(V1S.encode()))) == 33
    assert reader.not_understood == 0


@settings(max_examples=50)
@given(st.lists(st.integers(0, len(V1S)), max_size=8))
def test_pieces_of_any_size_give_the_same_records(cuts: list[int]) -> None:
    data = V1S.encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert shape(list(read_records(pieces))) == shape(records(data))


@settings(max_examples=50)
@given(st.integers(0, len(V1S.encode())))
def test_trace_cut_at_any_byte_gives_what_it_can(cut: int) -> None:
    data = V1S.encode()
    whole = shape(records(data[: data.rfind(b"\n", 0, cut) + 1]))
    assert shape(records(data[:cut]))[: len(whole)] == whole


@settings(max_examples=50)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([line.encode() for line in V1S.splitlines()]))))
def test_any_bytes_give_records_or_nothing(parts: list[bytes]) -> None:
    reader = Reader()
    found = [record for part in parts for record in reader.feed(part)] + list(reader.finish())
    assert len(found) <= 2 * reader.lines
