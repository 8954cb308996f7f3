"""How values are written, and that no hostile letter gets through."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakehunter.report import text

SEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of letters that cannot be seen: controls, formats, surrogates, line and paragraph separators."""


@given(st.text(st.characters(categories=None)))
def test_visible_leaves_no_letter_that_cannot_be_seen(given: str) -> None:
    shown = text.visible(given)
    shown.encode("utf-8")
    left = {letter for letter in shown if unicodedata.category(letter) in SEEN} - {"\t", "\n"}
    assert not {letter for letter in left if ord(letter) < 0x600}
    assert not left & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff\x1b\x00"
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain <b> text", "plain <b> text"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\u202egnp.exe", "a⟨U+202E⟩gnp.exe"),
        ("nul\x00del\x7f", "nul␀del␡"),
        ("lone \ud800", "lone ⟨U+D800⟩"),
        ("tab\tline\nkept", "tab\tline\nkept"),
        ("שלום 測試 ü", "שלום 測試 ü"),
    ],
)
def test_visible_shows_controls_as_text(given: str, shown: str) -> None:
    assert text.visible(given) == shown


@given(st.text(), st.integers(10, 200))
def test_cut_keeps_both_ends_within_the_limit(given: str, limit: int) -> None:
    shown = text.cut(given, limit)
    assert len(shown) <= limit
    if len(given) > limit:
        assert given.startswith(shown[: limit // 3])
        assert given.endswith(shown[-1])


def test_cut_lines_says_what_is_left_out() -> None:
    shown = text.cut_lines("\n".join(str(place) for place in range(100)), lines=10)
    assert shown.split("\n")[3] == "… 90 lines left out …"
    assert shown.endswith("99")
    assert len(text.cut_lines("x" * 50_000)) < 7_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.0123, "1.2 %"),
        (0.0996, "10 %"),
        (0.5, "50 %"),
        (0.996, "99.6 %"),
        (1, "100 %"),
    ],
)
def test_percent_has_as_many_digits_as_say_something(value: float, shown: str) -> None:
    assert text.percent(value).replace("\u202f", " ") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"),
        (3.21, "3.2 s"),
        (59.6, "60 s"),
        (100, "1.7 min"),
        (1200, "20 min"),
        (7200, "2.0 h"),
        (360_000, "100 h"),
    ],
)
def test_span_uses_the_unit_that_reads_best(value: float, shown: str) -> None:
    assert text.span(value) == shown


def test_hashes_of_commits_are_abbreviated() -> None:
    full = "0123456789abcdef0123456789abcdef01234567"
    assert text.short_hashes(f"commits:{full},{full}") == "commits:01234567, 01234567"
    assert text.short_hashes(full + "8") == full + "8", "a longer number is no hash of a commit"
