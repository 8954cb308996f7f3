"""A table beside the artifacts names their runs."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flakehunter.db.rows import RunRow
from flakehunter.errors import UsageError
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]
XML = '<testsuite name="s"><testcase classname="C" name="%s"/></testsuite>'
RUNS = (
    "SELECT external_id, attempt, job, commit_sha, cpus, parallel, time_limit_s, started_at FROM runs "
    "ORDER BY external_id, job"
)

CSV = """path,run_id,attempt,job,commit,cpus,parallel,time_limit,started_at
linux/junit.xml,10,2,linux,c1,4,8,7.5,2026-05-01T12:00:00Z
mac,11,,mac,c2,,,,
*.zip,12,,zip,c3,,,,
"""
JSONL = """{"path": "linux/junit.xml", "run_id": 10, "attempt": 2, "job": "linux", "commit": "c1", "cpus": 4,\
 "parallel": 8, "time_limit": 7.5, "started_at": "2026-05-01T12:00:00Z"}
{"path": "./mac/", "run_id": "11", "job": "mac", "commit": "c2", "branch": null}

{"path": "*.zip", "run_id": "12", "job": "zip", "commit": "c3"}
"""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Write artifacts of three runs and one that no row names."""
    folder = tmp_path / "in"
    for name in ("linux/junit.xml", "mac/deep/junit.xml", "stray/junit.xml"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(XML % name)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("reports/junit.xml", XML % "zip")
    return folder


@pytest.mark.parametrize(("name", "table"), [("runs.csv", CSV), ("runs.jsonl", JSONL)], ids=["csv", "jsonl"])
def test_a_table_names_files_folders_and_archives(
    name: str, table: str, history: Path, tmp_path: Path, query: Query
) -> None:
    (history / name).write_text(table)
    url = url_at(tmp_path / "a.db")
    given = RunRow(external_id="99", job="given")
    around = RunNaming(around=given)
    summary = ingest([history], url, IngestOptions(naming=around))
    assert (summary.artifacts, summary.skipped, summary.rejected) == (4, 0, [])
    rows = query(url, RUNS)
    assert [row[:-1] for row in rows] == [
        ("10", 2, "linux", "c1", 4, 8, 7.5),
        ("11", 1, "mac", "c2", None, None, None),
        ("12", 1, "zip", "c3", None, None, None),
        ("99", 1, "given", "", None, None, None),
    ]
    assert str(rows[0][-1]).startswith("2026-05-01 12:00:00")


def test_the_nearest_table_counts_and_a_row_without_path_is_for_all(
    history: Path, tmp_path: Path, query: Query
) -> None:
    (history / "runs.csv").write_text("run_id,commit\nfar,c1\n")
    (history / "mac" / "runs.csv").write_text("run_id,commit\nnear,c2\n")
    url = url_at(tmp_path / "a.db")
    ingest([history], url, IngestOptions())
    paths = query(url, "SELECT u.external_id, a.path FROM artifacts a JOIN runs u ON u.id = a.run_id")
    assert sorted((run, Path(path).relative_to(history).parts[0]) for run, path in paths) == [
        ("far", "a.zip"),
        ("far", "linux"),
        ("far", "stray"),
        ("near", "mac"),
    ]


def test_a_table_wins_over_the_layout_and_options_over_both(history: Path, tmp_path: Path, query: Query) -> None:
    (history / "runs.csv").write_text("path,run_id,job\nlinux,10,from-table\n")
    url = url_at(tmp_path / "a.db")
    naming = RunNaming(RunRow(commit="given"), compile_layout("{job}/junit.xml"))
    summary = ingest([history], url, IngestOptions(naming=naming))
    assert len(summary.rejected) == 2, "the layout fits neither mac/deep nor the archive, and no row is for them"
    rows = query(url, "SELECT job, commit_sha FROM runs ORDER BY job")
    assert rows == [("from-table", "given"), ("stray", "given")]


@pytest.mark.parametrize(
    ("name", "table", "reason"),
    [
        ("runs.csv", "path,sha\nx,1\n", "line 2: unknown field 'sha'"),
        ("runs.csv", "path,attempt\nx,first\n", "line 2: attempt 'first' is not a number"),
        ("runs.csv", "path,time_limit\nx,1 min\n", "line 2: time_limit '1 min' is not a number of seconds"),
        ("runs.csv", "path,started_at\nx,today\n", "line 2: 'today' is not a moment"),
        ("runs.csv", "path,commit\nx,1,2\n", "line 2: not one value a field"),
        ("runs.jsonl", '{"path": "x"}\n["x"]\n', "line 2: not one value a field"),
        ("runs.jsonl", "path\n", "cannot read"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(
    name: str, table: str, reason: str, history: Path, tmp_path: Path
) -> None:
    (history / name).write_text(table)
    with pytest.raises(UsageError, match=reason) as caught:
        ingest([history], url_at(tmp_path / "a.db"), IngestOptions())
    assert caught.value.hint
    assert str(history / name) in caught.value.message
