"""Quarantine lists, judged by the runners that read them where they are on the machine."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from flakehunter.cli.app import main
from flakehunter.detect.owners import parse_codeowners
from flakehunter.detect.quarantine import FORMS, Quarantined
from flakehunter.model import Mechanism
from tests.detect.builder import DatabaseBuilder


def entry(name: str, *, classname: str = "tests.test_it", file: str = "tests/test_it.py") -> Quarantined:
    day = date(2026, 1, 5)
    return Quarantined(
        f"{classname}::{name}", classname, name, file, "", Mechanism.SURVIVOR, 0.1, ("@team",), day, date(2026, 1, 19)
    )


def test_pytest_leaves_the_tests_out(tmp_path: Path) -> None:
    test = tmp_path / "tests" / "test_it.py"
    test.parent.mkdir()
    test.write_text(
        "import pytest\n"
        "class TestStop:\n    def test_a(self): assert 0\n    def test_b(self): pass\n"
        "@pytest.mark.parametrize('word', ['one two', 'x'])\ndef test_c(word): assert word == 'x'\n"
    )
    entries = [entry("test_a", classname="tests.test_it.TestStop"), entry("test_c[one two]")]
    listed = tmp_path / "quarantine.txt"
    listed.write_text(FORMS["pytest"](entries) + "\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", f"@{listed}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed, 2 deselected" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("runner", ["jest", "vitest"])
def test_javascript_pattern_fits_all_names_but_these(runner: str) -> None:
    pattern = FORMS[runner]([entry("group > kills (all) of it"), entry("waits 5 s - or more")])
    assert not re.search(pattern, "group kills (all) of it")
    assert not re.search(pattern, "waits 5 s - or more")
    assert re.search(pattern, "group kills (all) of it again")
    assert re.search(FORMS[runner]([]), "anything")


@pytest.mark.needs("node")
def test_javascript_pattern_means_the_same_to_node() -> None:
    pattern = FORMS["vitest"]([entry("group > kills (all) of it"), entry("waits 5 s - or “more”")])
    names = ["group kills (all) of it", "waits 5 s - or “more”", "another"]
    code = (
        "const [p, ...names] = process.argv.slice(1);"
        "console.log(JSON.stringify(names.map(n => new RegExp(p, 'u').test(n))))"
    )
    done = subprocess.run(["node", "-e", code, pattern, *names], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, False, True]


VITEST = Path(__file__).resolve().parents[2] / "sample_data" / "project" / "node_modules" / ".bin" / "vitest"


@pytest.mark.needs("node")
def test_vitest_leaves_the_tests_out(tmp_path: Path) -> None:
    source = (
        "describe('group', () => { it('kills (all) of it', () => { throw new Error('no') }) })\nit('other', () => {})\n"
    )
    (tmp_path / "it.test.js").write_text(source)
    pattern = FORMS["vitest"]([entry("group > kills (all) of it")])
    command = [str(VITEST), "run", "--globals", "--root", str(tmp_path), "--reporter", "json", "-t", pattern]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    report = json.loads(done.stdout[done.stdout.index("{") :])
    assert (report["numPassedTests"], report["numFailedTests"]) == (1, 0), done.stderr


def test_go_pattern_anchors_every_part() -> None:
    assert FORMS["go"]([entry("TestStop"), entry("TestKill/with group")]) == "^TestStop$|^TestKill$/^with_group$"


def test_other_forms() -> None:
    one = entry("stopsAll()[1]", classname="com.acme.StopTest")
    assert FORMS["junit5"]([one]) == "!com.acme.StopTest#stopsAll"
    assert FORMS["nextest"]([entry("tests::kill_tree(1)")]) == "not (test(=tests::kill_tree\\(1\\)))"
    text = FORMS["rspec"]([entry('Stop ends "all"')])
    assert 'config.filter_run_excluding full_description: "Stop ends \\"all\\""' in text
    assert "# tests.test_it::Stop ends" in text
    assert "owner @team, until 2026-01-19" in text


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("src/app.py", ("@all",)),
        ("docs/guide/a.md", ("@writers", "w@example.org")),
        ("tests/deep/down/test_it.py", ("@testers",)),
        ("build/logs/x.log", ("@ops",)),
        ("lib/x/build/y.txt", ("@all",)),
        ("apps/web/index.ts", ("@web",)),
        ("apps/web/deep/index.ts", ("@all",)),
        ("vendored/free.py", ()),
    ],
)
def test_codeowners(path: str, owners: tuple[str, ...]) -> None:
    text = """# owners
* @all
docs/ @writers w@example.org  # prose
test_*.py @testers
/build/logs/ @ops
apps/*/index.ts @web
/vendored/
"""
    assert parse_codeowners(text).of(path) == owners


def test_command_keeps_first_days_and_lets_tests_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_one": "PP PF PP FP PP", "test_two": "PF PP FP PP PF"})
    url = builder.close()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "CODEOWNERS").write_text("tests/ @team\n")
    keep = tmp_path / "quarantine.json"
    command = ["quarantine", "--for", "pytest", "--db", url, "--keep", str(keep)]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert sorted(printed.out.splitlines()) == [
        "--deselect=tests/test_it.py::test_one",
        "--deselect=tests/test_it.py::test_two",
    ]
    assert printed.err.count("owner @team, until") == 2
    document = json.loads(keep.read_text())
    document["tests"][0] |= {"since": "2020-01-01", "until": "2020-01-15"}
    keep.write_text(json.dumps(document))
    assert main(command) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert "until 2020-01-15: expired, runs again" in printed.err
    keep.write_text("[]")
    assert main(command) == 2
    assert "cannot read quarantine file" in capsys.readouterr().err
