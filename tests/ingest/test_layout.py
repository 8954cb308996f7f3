"""Path templates name the runs of a whole history."""

import pytest

from flakehunter.errors import UsageError
from flakehunter.ingest.layout import compile_layout


def test_a_history_of_runs() -> None:
    layout = compile_layout("{commit}/{run_id}-{attempt}/{job}/**")
    run = layout.match("abc123/run-7-2/linux-pytest/reports/deep/junit.xml")
    assert run is not None
    assert (run.commit, run.external_id, run.attempt, run.job) == ("abc123", "run-7", 2, "linux-pytest")
    assert layout.match("abc123/run-7-2/junit.xml") is None
    assert layout.match("abc123/run/linux/junit.xml") is None


def test_a_moment_in_the_path_is_the_start() -> None:
    run = compile_layout("{started_at}/{job}.xml").match("2026-05-01T120000/unit.xml")
    assert run is not None
    assert run.started_at is not None
    assert run.started_at.isoformat() == "2026-05-01T12:00:00+00:00"


def test_stars_stand_for_names() -> None:
    layout = compile_layout("*/{branch}/**/{job}.xml")
    run = layout.match("x/main/a/b/unit.xml")
    assert run is not None
    assert (run.branch, run.job) == ("main", "unit")
    assert layout.match("x/main/unit.xml") is not None


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{commit/**", "unmatched '{'"),
        ("commit}/**", "unmatched '}'"),
        ("{sha}/**", "unknown field 'sha'"),
        ("{}/**", "unknown field ''"),
        ("{job}/{job}", "field 'job' twice"),
        ("**/junit.xml", "names no field"),
        ("", "names no field"),
    ],
)
def test_a_bad_template_is_one_clear_error(template: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        compile_layout(template)
    assert "{commit}/{run_id}-{attempt}/{job}/**" in (caught.value.hint or "")
