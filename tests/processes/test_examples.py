"""The examples: with the grandchild's exit held back, the flawed ones fail every time and the mended ones never."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)  # the first build of a Go program on a machine takes its time

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
FLAWED_TRIALS = 5
MENDED_TRIALS = 2
EXIT_LATE = "delay:exit:{late}@depth={depth}"
FLAWED_LATE = "5s"
"""It only has to be longer than a busy machine needs to look: no trial waits for it, but for those of vitest."""
MENDED_LATE = "300ms"


def run(argv: Sequence[str | Path], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in `folder`, with `flakehunter` on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        list(argv),
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=350,
        check=False,
    )


def failures(
    command: Sequence[str | Path], *, late: str, depth: int, trials: int, folder: Path, database: Path
) -> tuple[int, dict[str, int]]:
    """Run a command with the exits of the processes `depth` below it held back; return failures and messages."""
    done = run(
        [
            "flakehunter", "repro", "--json", "--db", database, "--stress", EXIT_LATE.format(late=late, depth=depth),
            "--trials", str(trials), "--time-limit", "120s", "--", *command,
        ],
        folder,
    )  # fmt: skip
    (arm,) = json.loads(done.stdout)["arms"]
    assert arm["trials"] == trials, done.stderr
    assert arm["errors"] == arm["hangs"] == 0, done.stderr
    return arm["failures"], arm["messages"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "flakehunter.db"


def pytest_on(*names: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *names]


def test_python_flawed_fails_each_time(database: Path) -> None:
    failed, messages = failures(
        pytest_on("test_flawed.py"),
        late=FLAWED_LATE,
        depth=2,
        trials=FLAWED_TRIALS,
        folder=EXAMPLES / "abort_python",
        database=database,
    )
    assert failed == FLAWED_TRIALS
    assert list(messages) == ["assert not True"]


def test_python_mended_never_fails(database: Path) -> None:
    failed, messages = failures(
        pytest_on("test_by_hand.py", "test_by_flakehunter.py"),
        late=MENDED_LATE,
        depth=2,
        trials=MENDED_TRIALS,
        folder=EXAMPLES / "abort_python",
        database=database,
    )
    assert failed == 0, messages


@pytest.fixture
def typescript(tmp_path: Path) -> Path:
    """Copy the TypeScript example beside the sample project's vitest."""
    folder = tmp_path / "abort_typescript"
    shutil.copytree(EXAMPLES / "abort_typescript", folder)
    (folder / "node_modules").symlink_to(ROOT / "sample_data/project/node_modules")
    (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
    return folder


@pytest.mark.needs("node")
def test_typescript_flawed_fails_each_time_and_mended_never(typescript: Path, database: Path) -> None:
    vitest = ["node_modules/.bin/vitest", "run", "--root", "."]  # its workers are processes
    failed, _ = failures([*vitest, "flawed"], late="1s", depth=3, trials=2, folder=typescript, database=database)
    assert failed == 2
    failed, messages = failures(
        [*vitest, "by_"], late=MENDED_LATE, depth=3, trials=1, folder=typescript, database=database
    )
    assert failed == 0, messages


@pytest.mark.needs("go")
def test_go_flawed_fails_each_time_and_mended_never(tmp_path: Path, database: Path) -> None:
    folder = EXAMPLES / "abort_go"
    binary = tmp_path / "abort.test"
    assert run(["go", "test", "-c", "-o", binary], folder).returncode == 0
    flawed = [binary, "-test.run", "Flawed"]
    where = {"depth": 2, "folder": folder, "database": database}
    failed, _ = failures(flawed, late=FLAWED_LATE, trials=FLAWED_TRIALS, **where)
    assert failed == FLAWED_TRIALS
    mended = [binary, "-test.run", "By"]
    failed, messages = failures(mended, late=MENDED_LATE, trials=MENDED_TRIALS, **where)
    assert failed == 0, messages
