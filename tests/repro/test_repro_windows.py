"""`repro` on a real Windows CPython under Wine."""

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("runs Windows from outside", allow_module_level=True)

from windows import make_site, run_on_windows

ON_WINDOWS = Path(__file__).parent / "on_windows"


@pytest.mark.needs("wine")
@pytest.mark.timeout(400)
def test_repro_works_on_windows(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    (site / "pytest.ini").write_text("[pytest]\n")
    done = run_on_windows(
        site,
        *["-m", "pytest", "-q", "--durations=8", "-c", "pytest.ini", "--rootdir", ".", "--confcutdir", "."],
        *["-p", "no:cacheprovider", "-p", "no:flakehunter", f"Z:{ON_WINDOWS / 'check_repro.py'}"],
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
