"""Job files."""

import pytest

from jobkeeper.spec import Spec, SpecError, parse, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("2m", 120), ("1h30m", 5400), ("1h0m1s", 3601)],
)
def test_duration(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "30", "1m2h", "5 s"], ids=["empty", "word", "bare", "order", "space"])
def test_bad_duration(text):
    with pytest.raises(SpecError, match="not a duration"):
        parse_duration(text)


def test_jobs_come_in_file_order():
    document = """
    [build]
    run = "make -j4 'all targets'"
    limit = "20m"

    ["größe"]
    run = "du -sh ."
    attempts = 3
    """
    assert parse(document) == [
        Spec("build", ("make", "-j4", "all targets"), 1200),
        Spec("größe", ("du", "-sh", "."), 3600, 3),
    ]


def test_job_without_command():
    with pytest.raises(SpecError, match="has no command"):
        parse("[empty]\nlimit = '5s'")
