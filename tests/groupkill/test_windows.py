"""The Windows backends, on a real Windows CPython under Wine."""

import json
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("runs Windows from outside", allow_module_level=True)

from windows import ON_WINDOWS, ROOT, make_site, run_on_windows

pytestmark = [pytest.mark.needs("wine"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with our entry points, to run programs in."""
    return make_site(tmp_path_factory.mktemp("site"))


def test_jobs_processes_and_the_command_line_work_on_windows(site: Path) -> None:
    (site / "pytest.ini").write_text("[pytest]\n")
    checks = f"Z:{ON_WINDOWS / 'check_jobs.py'}"
    done = run_on_windows(
        site,
        *["-m", "pytest", "-q", "--durations=5", "-c", "pytest.ini", "--rootdir", ".", "--confcutdir", "."],
        *["-p", "no:cacheprovider", "-p", "no:flakehunter", checks],
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("kind", ["job", "suspended"])
def test_with_ours_no_error_and_no_escape(site: Path, kind: str) -> None:
    # 500 of each are started by benchmarks/groupkill_windows.py; the budget of the test suite is for fewer.
    done = run_on_windows(site, f"Z:{ON_WINDOWS / 'rows.py'}", kind, "12", "0")
    assert done.returncode == 0, done.stdout
    row = json.loads(done.stdout.splitlines()[-1])
    assert (row["starts"], row["errors"], row["escapes"]) == (12, 0, 0)


@pytest.mark.parametrize(
    ("how", "errors", "outside"),
    [("flawed", 2, 2), ("by-hand", 0, 2), ("by-flakehunter", 0, 0)],
)
def test_the_worker_of_the_examples(site: Path, how: str, errors: int, outside: int) -> None:
    program = ROOT / "examples" / "buildbot_worker" / "worker.py"
    done = run_on_windows(site, f"Z:{program}", how, "2")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == {"errors": errors, "outside": outside}
