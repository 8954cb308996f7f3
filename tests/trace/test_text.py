"""Arguments of system calls, as strace prints them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flakehunter.trace.text import file_descriptor, integer, members, port_of, split, strings, unquote


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ('3</tmp/a,b>, "x, \\"y\\"", 5', ["3</tmp/a,b>", '"x, \\"y\\""', "5"]),
        ("AT_FDCWD</a (b>, {a=[1, 2], b=(3, 4)}, X|Y", ["AT_FDCWD</a (b>", "{a=[1, 2], b=(3, 4)}", "X|Y"]),
        ("", [""]),
        ('"cut in the mid', ['"cut in the mid']),
        ("3<cut in the pa", ["3<cut in the pa"]),
    ],
    ids=["quotes", "brackets", "none", "string without end", "path without end"],
)
def test_arguments_are_split_at_the_right_commas(arguments: str, parts: list[str]) -> None:
    assert split(arguments) == parts


def test_strings_are_unquoted() -> None:
    assert strings(r'["bash", "-c", "a\n\"b\"\33[0m"...]') == ["bash", "-c", 'a\n"b"\x1b[0m']
    assert unquote(r"\\n") == r"\n"


@pytest.mark.parametrize(("text", "number"), [("-1699", -1699), ("0x10", 16), ("5<pipe:[3]>", 5), ("NULL", None)])
def test_numbers_are_read_without_annotation(text: str, number: int | None) -> None:
    assert integer(text) == number


def test_descriptors_ports_and_sets_are_read() -> None:
    assert file_descriptor("3<socket:[12]>") == (3, "socket:[12]")
    assert file_descriptor("NULL") is None
    assert (
        port_of('3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("0.0.0.0")}, 16') == 8080
    )
    assert port_of('3, {sa_family=AF_UNIX, sun_path="/x"}, 4') is None
    assert members("([{fd=4, revents=POLLIN}, {fd=6, revents=POLLHUP}])") == [4, 6]
    assert members("(in [4 7], left {tv_sec=4})") == [4, 7]


@settings(max_examples=50)
@given(st.text())
def test_any_text_is_split_without_an_error(text: str) -> None:
    assert len(split(text)) >= 1
    strings(text)
    members(text)
    unquote(text)
