"""`flakehunter scan` as a user types it."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from flakehunter.cli.app import main
from flakehunter.db.engine import open_database
from flakehunter.db.queries.findings import findings as stored_findings
from flakehunter.model import EvidenceSource, Mechanism
from tests.detect.builder import DatabaseBuilder

SCHEMA = Path(__file__).resolve().parents[1] / "scan" / "sarif-2.1.0.schema.json"
FLAWED = """import psutil


def test_abort(worker_pid):
    psutil.Process(worker_pid).kill()
    assert not psutil.pid_exists(worker_pid)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one flawed test and a good one; the tests run in it."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_it.py").write_text(FLAWED)
    (folder / "tests" / "test_good.py").write_text(
        "import os\n\ndef test_ok(pid):\n    os.kill(pid, 9)\n    os.waitpid(pid, 0)\n"
    )
    monkeypatch.chdir(folder)
    return folder


def test_text_quotes_both_lines(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "."]) == 0
    printed = capsys.readouterr()
    first, second, *quoted = printed.out.splitlines()
    assert first.startswith("tests/test_it.py:6: check-before-exit: looks whether the process is gone right after")
    assert second == "  in test_abort"
    assert quoted == [
        "       5 signals | psutil.Process(worker_pid).kill()",
        "       6 looks   | assert not psutil.pid_exists(worker_pid)",
    ]
    assert printed.err == "1 finding in 2 source files\n"


def test_json_has_the_keys_of_the_machine_interface(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", ".", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    (finding,) = document["findings"]
    assert {
        "mechanism": "check-before-exit",
        "file": "tests/test_it.py",
        "function": "test_abort",
        "language": "python",
        "signal_line": 5,
        "look_line": 6,
    }.items() <= finding.items()
    assert finding["message"]


def test_sarif_follows_the_schema(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "broken.py").write_text("def x(:\n    os.kill(pid, 9)\n    subprocess.Popen([])\n")
    assert main(["scan", ".", "--format", "sarif"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft4Validator(json.loads(SCHEMA.read_text())).validate(document)
    (run,) = document["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(Mechanism)
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "check-before-exit"
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [s["location"]["physicalLocation"]["region"]["startLine"] for s in steps] == [5, 6]
    assert result["partialFingerprints"]["flakehunterScan/v1"]
    assert run["invocations"][0]["toolExecutionNotifications"]


def test_sarif_without_findings_follows_the_schema(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "tests/test_good.py", "--format", "sarif"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft4Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["runs"][0]["results"] == []


def test_github_annotation(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", ".", "--format", "github"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "::warning file=tests/test_it.py,line=6,title=flakehunter%3A check-before-exit::looks whether"
    )


def test_gitlab_code_quality(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", ".", "--format", "gitlab"]) == 0
    (issue,) = json.loads(capsys.readouterr().out)
    assert issue["check_name"] == "check-before-exit"
    assert issue["location"] == {"path": "tests/test_it.py", "lines": {"begin": 6}}
    assert {"description", "fingerprint", "severity"} <= set(issue)


def test_fail_on_findings(project: Path) -> None:
    assert main(["scan", ".", "--fail-on", "findings"]) == 1
    assert main(["scan", "tests/test_good.py", "--fail-on", "findings"]) == 0
    assert main(["scan", ".", "--fail-on", "findings", "--mechanism", "survivor"]) == 0


POSSIBLE = """import os
import subprocess
import pytest
from somewhere import process


def test_stop():
    child = subprocess.Popen(["server"])
    process.kill_child(child)
    with pytest.raises(OSError):
        os.kill(child.pid, 0)
"""


def test_possible_findings_are_shown_when_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "tests" / "test_good.py"
    path.write_text(POSSIBLE)
    assert main(["scan", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "0 findings in 1 source file; 1 possible one not shown (--possible shows it)\n"
    assert main(["scan", str(path), "--possible"]) == 0
    assert capsys.readouterr().out.startswith("tests/test_good.py:11: possible check-before-exit: looks whether")
    assert main(["scan", str(path), "--possible", "--json"]) == 0
    assert [f["confidence"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["possible"]
    assert main(["scan", str(path), "--possible", "--format", "github"]) == 0
    assert capsys.readouterr().out.startswith("::notice file=tests/test_good.py,line=11,")


def test_possible_findings_fail_only_when_asked_for(project: Path) -> None:
    path = str(project / "tests" / "test_good.py")
    Path(path).write_text(POSSIBLE)
    assert main(["scan", path, "--possible", "--fail-on", "findings"]) == 0
    assert main(["scan", path, "--fail-on", "possible"]) == 1


def test_missing_path_is_a_usage_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "no/such"]) == 2
    assert "no such file or folder: no/such" in capsys.readouterr().err


def test_folder_without_source_is_nothing_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "empty").mkdir()
    assert main(["scan", "empty"]) == 4
    err = capsys.readouterr().err
    assert "no source file at or below empty" in err
    assert "hint: scan reads Python" in err


def test_verbose_names_what_was_skipped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "blob.py").write_bytes(b"\0kill")
    assert main(["-v", "scan", "."]) == 0
    err = capsys.readouterr().err
    assert "blob.py: skipped: binary" in err
    assert "1 file skipped" in err


def test_findings_in_known_tests_become_evidence(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_abort": "PP PF PP"})
    url = builder.close()
    assert main(["scan", ".", "--db", url]) == 0
    assert "1 stored as evidence" in capsys.readouterr().err
    assert main(["scan", ".", "--db", url]) == 0  # a second scan replaces what the first has stored
    engine = open_database(url)
    with engine.connect() as connection:
        (stored,) = stored_findings(connection, "default", sources=[EvidenceSource.SCAN])
    assert (stored.mechanism, stored.file, stored.line) == (Mechanism.CHECK_BEFORE_EXIT, "tests/test_it.py", 6)
    (project / "tests" / "test_it.py").write_text("# mended\n")
    assert main(["scan", ".", "--db", url]) == 0
    with engine.connect() as connection:
        assert stored_findings(connection, "default", sources=[EvidenceSource.SCAN]) == []
    engine.dispose()


def test_database_that_is_asked_for_has_to_be_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", ".", "--db", os.fspath(project / "none.db")]) == 4
    assert "there is no database" in capsys.readouterr().err
