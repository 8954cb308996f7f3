"""The built wheel, in an environment that holds nothing else, does the demo's work from another folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it into a new environment, and give that environment's `bin` folder."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([UV, "build", "--quiet", "--wheel", "--no-build-isolation", "-o", folder, ROOT], check=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    # The locked versions, so that the test does not change when a package has a release. pytest runs the sample tests.
    install = [UV, "pip", "install", "--quiet", "--python", folder / "env/bin/python", "-c", ROOT / "requirements.lock"]
    subprocess.run([*install, wheel, "pytest"], check=True)
    return folder / "env" / "bin"


def environment(programs: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")} | {
        "PATH": f"{programs}:{os.environ['PATH']}"
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_runs_from_the_wheel_in_another_folder(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data", ignore=shutil.ignore_patterns("node_modules"))
    # What is on trial here is the wheel: a fifth of the trials of `make demo`, and under a stress that fails the flawed
    # test each time, as eight hogs do only nearly always.
    demo = tmp_path / "sample_data/demo.sh"
    script = demo.read_text()
    assert "--stress cpu:8" in script
    demo.write_text(script.replace("--stress cpu:8", "--stress delay:exit:400ms@depth=2"))
    looser = {"FLAKEHUNTER_REPRO_MAX_RATE": "0.2"}
    done = subprocess.run(
        ["bash", "sample_data/demo.sh"],
        cwd=tmp_path,
        env=environment(installed) | looser,
        capture_output=True,
        text=True,
        check=False,
        timeout=570,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for typed in (
        "$ flakehunter ingest sample_data/",
        "$ flakehunter detect",
        "$ flakehunter repro",
        "$ flakehunter report -o",
    ):
        assert typed in done.stdout
    assert "fix verified" in done.stdout
    page = Path(done.stdout.split()[-1])
    assert page.name == "index.html"
    assert "<html" in (tmp_path / page).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_wheel_carries_migrations_and_templates(installed: Path, tmp_path: Path) -> None:
    def flakehunter(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["flakehunter", *arguments],
            cwd=tmp_path,
            env=environment(installed),
            capture_output=True,
            text=True,
            check=False,
        )

    assert flakehunter("db", "upgrade").returncode == 0
    empty = flakehunter("detect", "--json")
    assert (empty.returncode, empty.stdout) == (4, "")
    assert "hint: " in empty.stderr
    (tmp_path / "junit.xml").write_text(
        '<testsuite name="pytest"><testcase classname="tests.test_a" name="test_b" time="0.1"/></testsuite>'
    )
    assert json.loads(flakehunter("ingest", "junit.xml", "--json").stdout)["new_results"] == 1
    reported = flakehunter("report", "-o", "site")
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "site" / "index.html").is_file()
