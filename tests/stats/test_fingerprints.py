"""Failures that differ in pids, ports, times and paths only have one fingerprint; others have not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakehunter.stats.fingerprints import detail_hash, fingerprint, mask

SAME = [
    ("process 16657 is still alive after SIGTERM", "process 9 is still alive after SIGTERM"),
    ("kill(4711, 0) returned 0", "kill(81, 0) returned 0"),
    (
        "listen EADDRINUSE: address already in use 127.0.0.1:8080",
        "listen EADDRINUSE: address already in use 10.0.0.7:1",
    ),
    ("cannot connect to localhost:43211", "cannot connect to localhost:80"),
    ("timed out after 5.0000213 seconds", "timed out after 12 seconds"),
    ("took 12ms", "took 1500.5ms"),
    ("at 2026-05-01T12:00:00.123Z failed", "at 2027-01-31 01:02:03 failed"),
    ("<Foo object at 0x7f1122334455>", "<Foo object at 0x10>"),
    ("no file /tmp/pytest-of-root/pytest-12/test_a0/out.txt", "no file /tmp/pytest-of-ci/pytest-3/test_a1/x.txt"),
    (r"no file C:\Users\ci\AppData\Local\Temp\abc123\x", r"no file C:\Users\bob\AppData\Local\Temp\q\y"),
    ("in /home/runner/work/a/a/src/main.c", "in /builds/group/a/src/main.c"),
    ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-e89b-12d3-a456-426614174fff"),
    ("commit deadbeef1234 lost", "commit 0123abcd99 lost"),
    ("\x1b[31mfailed\x1b[0m", "failed"),
    ("a\n   b", "a b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_differs_between_runs_is_masked(one: str, other: str) -> None:
    assert mask(one) == mask(other)
    assert fingerprint("E", one) == fingerprint("E", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("process is alive", "process is dead"),
        ("SIGTERM was ignored", "SIGKILL was ignored"),
        ("in /builds/a/main.c", "in /builds/a/other.c"),
        ("EADDRINUSE", "ETXTBSY"),
    ],
)
def test_what_tells_failures_apart_stays(one: str, other: str) -> None:
    assert fingerprint("E", one) != fingerprint("E", other)


def test_the_type_counts() -> None:
    assert fingerprint("TimeoutError", "x") != fingerprint("ValueError", "x")


def test_fingerprints_and_hashes_are_16_bytes_and_stable() -> None:
    assert (
        fingerprint("AssertionError", "pid 7 still alive").hex()
        == fingerprint("AssertionError", "pid 8 still alive").hex()
    )
    assert len(fingerprint("", "")) == len(detail_hash("", "", "")) == 16
    assert detail_hash("a", "b", "c") != detail_hash("ab", "", "c")


@given(st.text(max_size=300))
def test_any_text_has_a_fingerprint(text: str) -> None:
    assert len(fingerprint(text, text)) == 16
    assert mask(mask(text)) == mask(mask(mask(text)))
