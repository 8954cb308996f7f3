"""The Windows backends, on a real Windows CPython under Wine."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "on_windows"
CACHE = ROOT / ".cache"

pytestmark = [pytest.mark.needs("wine"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def windows_python() -> ModuleType:
    """Import the set-up of the sample data."""
    sys.path.insert(0, str(ROOT / "sample_data"))
    try:
        import windows_python as module
    finally:
        sys.path.pop(0)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of Windows packages: what the command line needs, and our own entry points."""
    wanted = HERE / "requirements.txt"
    packages = CACHE / "windows-site"
    stamp = packages / "requirements.txt"
    if not stamp.is_file() or stamp.read_bytes() != wanted.read_bytes():
        shutil.rmtree(packages, ignore_errors=True)
        platform = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:", "--no-compile"]
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
        command = [*pip, "--require-hashes", "--target", str(packages), *platform, "-r", str(wanted)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.copy(wanted, stamp)
    site = tmp_path_factory.mktemp("site")
    info = site / "flakehunter_ci-0.dist-info"
    info.mkdir()
    own = distribution("flakehunter-ci")
    for name in ("METADATA", "entry_points.txt"):
        (info / name).write_text(own.read_text(name) or "")
    return site


def run_on_windows(windows_python: ModuleType, site: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python program of ours on Windows: its path and arguments, or `-m` and a module."""
    python = windows_python.set_up(CACHE / "windows-python")
    folders = [f"Z:{folder}" for folder in (ROOT, CACHE / "windows-site", site)]
    code = (
        f"import runpy, sys; sys.path[:0] = {folders!r}; sys.argv[:] = sys.argv[1:]; "
        "m = sys.argv[0] == '-m' and sys.argv.pop(0); "
        "runpy.run_module(sys.argv[0], run_name='__main__') if m else runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done: subprocess.CompletedProcess[str] = python.run("-c", code, *arguments, cwd=site, limit_s=240)
    return done


def test_jobs_processes_and_the_command_line_work_on_windows(windows_python: ModuleType, site: Path) -> None:
    (site / "pytest.ini").write_text("[pytest]\n")
    checks = f"Z:{HERE / 'check_jobs.py'}"
    done = run_on_windows(
        windows_python,
        site,
        *["-m", "pytest", "-q", "-c", "pytest.ini", "--rootdir", ".", "--confcutdir", f"Z:{HERE}"],
        *["-p", "no:cacheprovider", "-p", "no:flakehunter", checks],
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("kind", ["job", "suspended"])
def test_with_ours_no_error_and_no_escape(windows_python: ModuleType, site: Path, kind: str) -> None:
    # 500 of each are started by benchmarks/groupkill_windows.py; the budget of the test suite is for fewer.
    done = run_on_windows(windows_python, site, f"Z:{HERE / 'rows.py'}", kind, "12", "0")
    assert done.returncode == 0, done.stdout
    row = json.loads(done.stdout.splitlines()[-1])
    assert (row["starts"], row["errors"], row["escapes"]) == (12, 0, 0)


@pytest.mark.parametrize(
    ("how", "errors", "outside"),
    [("flawed", 2, 2), ("by-hand", 0, 2), ("by-flakehunter", 0, 0)],
)
def test_the_worker_of_the_examples(
    windows_python: ModuleType, site: Path, how: str, errors: int, outside: int
) -> None:
    program = ROOT / "examples" / "buildbot_worker" / "worker.py"
    done = run_on_windows(windows_python, site, f"Z:{program}", how, "2")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == {"errors": errors, "outside": outside}
