"""Every Linux backend as a user without privileges; cgroups in a subtree that is delegated to that user."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux", allow_module_level=True)

from nobody import NOBODY, as_nobody, need_root, pytest_command, python_for_nobody

from flakehunter.groupkill.linux.cgroup_mounts import find_freezer, find_unified
from flakehunter.groupkill.linux.cgroup_reach import remove_tree

CHECKS = Path(__file__).parent / "on_nobody" / "check_backends.py"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def home() -> Iterator[Path]:
    """Make a folder of nobody's own; pytest's are closed to other users."""
    need_root()
    folder = Path(tempfile.mkdtemp(prefix="flakehunter-nobody-"))
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def delegated(parent: Path) -> Iterator[Path]:
    """Make a cgroup that belongs to nobody, as systemd's Delegate= does; see cgroups(7), "Delegation"."""
    folder = parent / f"delegated-{os.getpid()}"
    folder.mkdir()
    for path in (folder, *(folder / name for name in ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads"))):
        if path.exists():
            os.chown(path, NOBODY, NOBODY)
    try:
        yield folder
    finally:
        assert remove_tree(folder, time.monotonic() + 30) == []


def test_without_privileges(home: Path) -> None:
    done = as_nobody(pytest_command(CHECKS, "--basetemp", str(home / "tmp"), "-k", "not test_delegated"))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


LEFTOVERS = """
import sys
from pathlib import Path
from flakehunter.groupkill.linux.cgroup_reach import remove_leftovers
print(*remove_leftovers(Path(sys.argv[1])))
"""


def test_leftovers_of_another_user_stop_nobody(home: Path) -> None:
    parent = find_unified()
    if parent is None or not os.access(parent, os.W_OK):
        pytest.skip("no cgroup v2 that can be written")
    with delegated(parent) as folder:
        left = folder / "flakehunter-0-0-crashed"  # no process has pid 0
        left.mkdir()
        with subprocess.Popen(["sleep", "300"]) as member:
            (left / "cgroup.procs").write_text(str(member.pid))
            done = as_nobody([python_for_nobody(), "-c", LEFTOVERS, str(folder)])
            lives = member.poll() is None
            member.kill()
        assert (done.stdout.strip(), done.returncode, lives) == (str(left), 0, True)


def test_in_a_delegated_cgroup(home: Path) -> None:
    parents = {"cgroup": find_unified(), "cgroup-v1": find_freezer()}
    usable = {name: parent for name, parent in parents.items() if parent is not None and os.access(parent, os.W_OK)}
    if not usable:
        pytest.skip("no cgroup that can be written")
    chosen = " or ".join(f"{name}-" for name in usable)
    checks = pytest_command(CHECKS, "--basetemp", str(home / "tmp"), "-k", f"test_delegated and ({chosen})")
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(delegated(parent)) for parent in usable.values()]
        done = as_nobody(checks, cgroups=folders)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
