"""From a stored test to the command that runs it again."""

from pathlib import Path

import pytest

from flakehunter.config import Config, Runner, load_config
from flakehunter.db.queries.tests import TestRow
from flakehunter.errors import CommandError, UsageError
from flakehunter.model import TestIdentity
from flakehunter.repro.command import plain_command, stored_command


def row(classname: str, name: str, *, framework: str = "pytest", file: str = "") -> TestRow:
    return TestRow(1, TestIdentity("default", "pytest", classname, name), framework, file, None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path in ("tests/unit/test_a.py", "test/exec.test.ts", "node_modules/x/test/exec.test.ts"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("classname", "file", "expected"),
    [
        ("tests.unit.test_a", "", "tests/unit/test_a.py::test_x[1-a b]"),
        ("tests.unit.test_a.TestA.TestB", "", "tests/unit/test_a.py::TestA::TestB::test_x[1-a b]"),
        ("unit.test_a", "", "tests/unit/test_a.py::test_x[1-a b]"),
        ("pkg.tests.unit.test_a", "", "tests/unit/test_a.py::test_x[1-a b]"),
        ("", "tests/unit/test_a.py", "tests/unit/test_a.py::test_x[1-a b]"),
        ("test_a.TestA", "ci/build/tests/unit/test_a.py", "tests/unit/test_a.py::TestA::test_x[1-a b]"),
    ],
)
def test_a_pytest_is_found_by_what_is_on_disk(project: Path, classname: str, file: str, expected: str) -> None:
    command = stored_command(row(classname, "test_x[1-a b]", file=file), load_config(start=project), project)
    assert command.argv[-1] == expected
    assert command.cwd == project
    assert command.test == "test_x[1-a b]"


@pytest.mark.parametrize(
    ("argv", "is_pytest"),
    [
        (["pytest", "x"], True),
        (["bin/py.test"], True),
        (["python3.12", "-m", "pytest"], True),
        (["Python.EXE", "-X", "dev", "-m", "pytest"], True),
        (["py", "-m", "pytest"], True),
        (["pypy", "-m", "pytest"], False),
        (["python", "-m", "unittest"], False),
        (["bash", "-c", "pytest"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_pytest_is_known_by_its_command_line(tmp_path: Path, argv: list[str], is_pytest: bool) -> None:
    assert plain_command(argv, tmp_path).is_pytest is is_pytest


def test_a_vitest_is_named_by_file_and_a_pattern_of_its_whole_name(project: Path) -> None:
    stored = row("test/exec.test.ts", "exec > ends (all) of it", framework="vitest")
    argv = stored_command(stored, load_config(start=project), project).argv
    assert argv[-3:] == ("test/exec.test.ts", "-t", r"^exec ends \(all\) of it$")


def test_a_file_that_is_nowhere_is_told_with_the_folder(project: Path) -> None:
    with pytest.raises(UsageError) as caught:
        stored_command(row("other.test_b", "test_x"), load_config(start=project), project)
    assert str(project) in caught.value.message
    assert "-C" in (caught.value.hint or "")


def test_a_framework_without_a_runner_names_the_setting(project: Path) -> None:
    with pytest.raises(UsageError) as caught:
        stored_command(row("T", "x", framework="go"), load_config(start=project), project)
    assert "runners.go" in (caught.value.hint or "")


@pytest.mark.parametrize("command", ["{python} {tset}", "'open", ""])
def test_a_wrong_runner_is_refused(project: Path, command: str) -> None:
    config = Config(root=project, path=None, runners={"pytest": Runner(command)}, options={})
    with pytest.raises(UsageError):
        stored_command(row("tests.unit.test_a", "t"), config, project)


def test_a_pytest_command_is_asked_for_junit_but_shown_as_typed(tmp_path: Path) -> None:
    command = plain_command(["pytest", "-q", "x.py"], tmp_path)
    assert command.words(tmp_path / "j.xml")[-1] == f"--junitxml={tmp_path}/j.xml"
    assert command.shown == "pytest -q x.py"
    assert plain_command(["pytest", "--junitxml=a"], tmp_path).argv == ("pytest", "--junitxml=a")
    assert plain_command(["bash", "-c", "pytest"], tmp_path).argv == ("bash", "-c", "pytest")


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "./no-such-file", "/"])
def test_a_program_that_is_not_there_is_told_before_anything_starts(tmp_path: Path, program: str) -> None:
    with pytest.raises(CommandError) as caught:
        plain_command([program], tmp_path).check()
    assert program in caught.value.message
    assert caught.value.hint
