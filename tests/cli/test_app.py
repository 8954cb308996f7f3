"""What every command has in common: help, version, errors, exit codes, settings, start-up."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from flakehunter import __version__, console
from flakehunter.cli import app as cli
from flakehunter.cli.app import main
from flakehunter.cli.commands import COMMANDS
from flakehunter.errors import FlakehunterError
from flakehunter.exitcodes import ExitCode

HEAVY = ("pandas", "matplotlib", "scipy", "numpy", "sqlalchemy", "alembic", "rich", "jinja2", "junitparser", "psutil")


@pytest.fixture
def failing_command(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Make `flakehunter` run a command that raises what the test puts into the list."""
    raised: list[BaseException] = []

    def run(**_arguments: object) -> None:
        raise raised[0]

    monkeypatch.setattr(cli, "app", run)
    return raised


def test_version_is_printed_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"flakehunter {__version__}\n"


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitCode.OK
    out = capsys.readouterr().out
    for command in ("ingest", "detect", "show", "repro", "report", "db"):
        assert command in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_own_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"Usage: flakehunter {name} ")


def test_help_loads_no_command() -> None:
    code = """
import sys
from flakehunter.cli.app import main
main(["--help"])
print("flakehunter.cli.ingest" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"


def test_no_argument_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.USAGE
    assert "ingest" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["detect", "--help"]], ids=" ".join)
def test_start_up_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from flakehunter.cli.app import main
main({arguments!r})
print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detct"]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert "flakehunter: error: no such command 'detct'" in err
    assert "detect" in err
    assert "hint: see flakehunter --help" in err


def test_a_value_that_is_no_choice_is_told_with_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--format", "nonsense"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("flakehunter: error: invalid value for '--format'")
    assert ": 'nonsense' is not one of 'html', 'markdown'" in error
    assert "Value error" not in error


def test_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--jsn"]) == ExitCode.USAGE
    assert "--jsn" in capsys.readouterr().err


def test_an_error_is_one_line_and_a_hint(
    failing_command: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    class DiskError(FlakehunterError):
        exit_code = ExitCode.DATABASE

    failing_command.append(DiskError("the disk is full", hint="make room"))
    assert main([]) == ExitCode.DATABASE
    assert capsys.readouterr().err == "flakehunter: error: the disk is full\n  hint: make room\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (typer.Abort(), ExitCode.INTERRUPTED),
        (ValueError("oops"), ExitCode.BUG),
    ],
    ids=["interrupt", "abort", "bug"],
)
def test_other_ends_have_their_exit_codes(
    failing_command: list[BaseException], error: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    failing_command.append(error)
    assert main([]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_can_be_seen_whole(failing_command: list[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAKEHUNTER_DEBUG", "1")
    failing_command.append(ValueError("oops"))
    with pytest.raises(ValueError, match="oops"):
        main([])


def test_a_broken_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m flakehunter --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_quiet_silences_talk_but_not_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        console.configure(quiet=True)
        console.say("ingested 3 files")
        console.warn("one was broken")
    finally:
        console.configure()
    assert capsys.readouterr().err == "flakehunter: warning: one was broken\n"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["pipe", "forced", "no-color-wins"],
)
def test_colour_follows_the_environment(
    variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert console.use_color(sys.stdout) is expected


def test_settings_are_defaults_of_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.flakehunter]\ndb = "from-settings.db"\n')
    monkeypatch.chdir(tmp_path)
    assert main(["db", "upgrade"]) == ExitCode.OK
    assert (tmp_path / "from-settings.db").is_file()
    monkeypatch.setenv("FLAKEHUNTER_DB", str(tmp_path / "from-environment.db"))
    assert main(["db", "upgrade"]) == ExitCode.OK
    assert (tmp_path / "from-environment.db").is_file()
    assert main(["db", "upgrade", "--db", "from-flag.db"]) == ExitCode.OK
    assert (tmp_path / "from-flag.db").is_file()


def test_every_option_has_a_variable_and_a_setting_of_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junit.xml").write_text('<testsuite name="s"><testcase classname="c" name="n"/></testsuite>')
    monkeypatch.setenv("FLAKEHUNTER_INGEST_FORMAT", "json")
    assert main(["ingest", "junit.xml"]) == ExitCode.OK
    assert '"new_results": 1' in capsys.readouterr().out
    (tmp_path / "pyproject.toml").write_text('[tool.flakehunter.detect]\nformat = "csv"\nall = true\n')
    assert main(["detect"]) == ExitCode.OK
    assert ",unknown," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.flakehunter\n", "is not valid TOML"),
        ("[tool.flakehunter]\nbd = 'x'\n", "unknown setting 'bd'"),
        ("[tool.flakehunter.detect]\nfrmat = 'csv'\n", "unknown setting 'detect.frmat'"),
        ("[tool.flakehunter.runners]\npytest = ['x', '{name}']\n", "runners.pytest: is a list, neither a command nor"),
        ("[tool.flakehunter.runners.pytest]\ncwd = 'x'\n", "runners.pytest: a runner needs a command"),
        ("[tool.flakehunter.runners.pytest]\ncommand = ['x']\n", "runners.pytest.command: is a list, not text"),
        ("[tool.flakehunter.runners.x]\ncommand = 'x'\ncwd = 3\n", "runners.x.cwd: is an integer, not text"),
        ("[tool.flakehunter.runners.x]\ncommand = 'x'\nenv = 'A=1'\n", "runners.x.env: is text, not a table"),
        ("[tool.flakehunter.runners.x]\ncommand = 'x'\nenv = {A = 1}\n", "runners.x.env.A: is an integer, not text"),
        ("[tool.flakehunter.runners.pytest]\ncomand = 'x'\n", "unknown key 'comand'"),
    ],
    ids=["toml", "setting", "command-setting", "runner", "no-command", "list", "cwd", "env", "variable", "runner-key"],
)
def test_wrong_settings_are_usage_errors(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["db", "revision"]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert message in err
    assert "hint:" in err


def test_a_missing_settings_file_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "nowhere.toml", "db", "revision"]) == ExitCode.USAGE
    assert "cannot read nowhere.toml" in capsys.readouterr().err


def test_a_database_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--db", "/proc/nowhere/flakehunter.db"]) == ExitCode.DATABASE
    err = capsys.readouterr().err
    assert err.startswith("flakehunter: error: cannot make the folder of database /proc/nowhere")
    assert "--db" in err
