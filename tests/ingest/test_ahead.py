"""Files that other processes parse become the rows that one process makes of them."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flakehunter.fanout.local import InlinePool, LocalPool
from flakehunter.ingest import ahead, pipeline
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]

OPTIONS = IngestOptions(naming=RunNaming(layout=compile_layout("{run_id}/**")), jobs=1)
ROWS = (
    "SELECT u.external_id, u.started_at, a.path, a.kind, a.format, t.suite, t.classname, t.name, t.file, t.line,"
    " r.attempt, r.outcome, r.duration_s, f.message FROM artifacts a JOIN runs u ON u.id = a.run_id"
    " LEFT JOIN results r ON r.artifact_id = a.id LEFT JOIN test_cases t ON t.id = r.test_case_id"
    " LEFT JOIN failures f ON f.id = r.failure_id"
    " ORDER BY u.external_id, a.path, t.suite, t.classname, t.name, r.attempt"
)
OTHERS = (
    "SELECT a.path, i.position, i.reason, NULL, NULL FROM artifact_issues i JOIN artifacts a ON a.id = i.artifact_id"
    " UNION ALL SELECT a.path, e.kind, e.text, e.line, e.pid FROM log_events e JOIN artifacts a ON a.id = e.artifact_id"
    " ORDER BY 1, 2, 3, 4, 5"
)


@pytest.fixture
def mixture(tmp_path: Path, fixtures: Path) -> Path:
    """Return two runs of every fixture, with a broken file, an archive, an empty file and no artifact among them."""
    folder = tmp_path / "in"
    for run in range(2):
        shutil.copytree(fixtures, folder / f"r{run}")
        (folder / f"r{run}/truncated.xml").write_text('<testsuite name="s"><testcase name="a"/><testcase name="b"')
        (folder / f"r{run}/broken.xml").write_text("<html>")
        (folder / f"r{run}/empty.xml").write_text("")
        (folder / f"r{run}/picture.png").write_bytes(b"\x89PNG\0")
        with zipfile.ZipFile(folder / f"r{run}/archive.zip", "w") as archive:
            archive.writestr("inside.xml", f'<testsuite name="z"><testcase name="in {run}" time="1"/></testsuite>')
    return folder


def counted(summary: Summary) -> tuple[object, ...]:
    told = [(entry.path, entry.position, entry.reason) for entry in summary.rejected]
    return summary.artifacts, summary.results, summary.new_results, summary.skipped, summary.files, told


def test_rows_do_not_depend_on_the_number_of_processes(
    mixture: Path, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FILES_A_BLOCK", 3)
    one, three = url_at(tmp_path / "one.db"), url_at(tmp_path / "three.db")
    assert counted(ingest([mixture], three, replace(OPTIONS, jobs=3))) == counted(ingest([mixture], one, OPTIONS))
    for what in (ROWS, OTHERS):
        assert query(three, what) == query(one, what)
    again = ingest([mixture], three, replace(OPTIONS, jobs=3))
    assert again.new_results == 0
    assert counted(again) == counted(ingest([mixture], one, OPTIONS))


def test_rows_do_not_depend_on_how_many_tests_a_worker_keeps_in_mind(
    mixture: Path, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    much, little = url_at(tmp_path / "much.db"), url_at(tmp_path / "little.db")
    alone = ingest([mixture], much, OPTIONS)
    monkeypatch.setattr(ahead, "FILES_A_BLOCK", 3)
    monkeypatch.setattr(Memory, "LIMIT", 20)
    monkeypatch.setattr(pipeline, "open_pool", lambda **_: InlinePool())
    assert counted(ingest([mixture], little, replace(OPTIONS, jobs=2))) == counted(alone)
    for what in (ROWS, OTHERS):
        assert query(little, what) == query(much, what)


def test_an_interrupt_leaves_whole_artifacts_and_no_process(mixture: Path, tmp_path: Path) -> None:
    def interrupt(_source: object, summary: Summary) -> None:
        if summary.artifacts == 20:
            raise KeyboardInterrupt

    url = url_at(tmp_path / "a.db")
    with pytest.raises(KeyboardInterrupt):
        ingest([mixture], url, replace(OPTIONS, jobs=2), interrupt)
    assert ingest([mixture], url, OPTIONS).known_artifacts == 20


@pytest.mark.parametrize("jobs", [None, 1])
def test_few_files_start_no_process(jobs: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalPool, "_hire", lambda _: pytest.fail("a process was started"))
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1/a.xml").write_text('<testsuite><testcase name="t"/></testsuite>')
    assert ingest([tmp_path], url_at(tmp_path / "a.db"), replace(OPTIONS, jobs=jobs)).results == 1


def test_workers_begin_before_anything_of_the_database_is_imported() -> None:
    code = "import flakehunter.ingest.pipeline, sys; print('sqlalchemy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
