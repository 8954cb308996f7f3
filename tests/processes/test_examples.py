"""The examples: the flawed ones fail now and then, the mended ones never."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
FLAWED_RUNS = 20
MENDED_RUNS = 2  # each takes what init takes to reap an orphan, which may be seconds


def environment(**more: str) -> dict[str, str]:
    """Return the environment with `flakehunter` on the PATH."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}


def run(argv: list[str], folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in `folder`."""
    return subprocess.run(
        argv, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=110, check=False
    )


AGAIN = """
import os

def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("again")
    metafunc.parametrize("again", range(int(os.environ["RUNS"])))
"""


def outcomes_of_pytest(name: str, runs: int, folder: Path) -> dict[str, int]:
    """Run a Python example that many times in one pytest and count the outcomes."""
    (folder / "again.py").write_text(AGAIN)
    example = EXAMPLES / "abort_python"
    done = run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "again", str(example / name)],
        example,
        PYTHONPATH=os.pathsep.join([str(example), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        RUNS=str(runs),
    )
    summary = done.stdout.strip().splitlines()[-1]
    outcomes = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", summary)}
    assert sum(outcomes.values()) == runs, done.stdout
    return outcomes


def test_python_flawed_fails_now_and_then(tmp_path: Path) -> None:
    assert outcomes_of_pytest("test_flawed.py", FLAWED_RUNS, tmp_path).get("failed", 0) > 0


@pytest.mark.parametrize("name", ["test_by_hand.py", "test_by_flakehunter.py"])
def test_python_mended_never_fails(name: str, tmp_path: Path) -> None:
    assert outcomes_of_pytest(name, MENDED_RUNS, tmp_path) == {"passed": MENDED_RUNS}


@pytest.fixture
def typescript(tmp_path: Path) -> Path:
    """Copy the TypeScript example beside the sample project's vitest."""
    folder = tmp_path / "abort_typescript"
    shutil.copytree(EXAMPLES / "abort_typescript", folder)
    (folder / "node_modules").symlink_to(ROOT / "sample_data/project/node_modules")
    (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
    return folder


@pytest.mark.needs("node")
def test_typescript_flawed_fails_now_and_then_and_mended_never(typescript: Path) -> None:
    vitest = ["node_modules/.bin/vitest", "run", "--root", "."]
    flawed = run([*vitest, "flawed"], typescript, REPEATS=str(FLAWED_RUNS))
    assert flawed.returncode == 1
    assert "expected true to be false" in flawed.stdout + flawed.stderr
    mended = run([*vitest, "by_"], typescript, REPEATS=str(MENDED_RUNS - 1))
    assert mended.returncode == 0, mended.stdout + mended.stderr


@pytest.mark.needs("go")
def test_go_flawed_fails_now_and_then_and_mended_never(tmp_path: Path) -> None:
    folder = EXAMPLES / "abort_go"
    binary = tmp_path / "abort.test"
    assert run(["go", "test", "-c", "-o", str(binary)], folder).returncode == 0
    flawed = run([str(binary), "-test.run", "Flawed", f"-test.count={FLAWED_RUNS}"], folder)
    assert flawed.returncode == 1
    assert "is alive" in flawed.stdout
    mended = run([str(binary), "-test.run", "By", f"-test.count={MENDED_RUNS}"], folder)
    assert mended.returncode == 0, mended.stdout
