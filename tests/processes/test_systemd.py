"""The backend `systemd-scope` below a real systemd: the first process of a private machine made of namespaces."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux", allow_module_level=True)

from nobody import NOBODY, PLAIN, environment, pytest_command

from flakehunter.groupkill.linux.cgroup_mounts import find_unified
from flakehunter.groupkill.linux.cgroup_reach import remove_tree

HERE = Path(__file__).parent / "on_systemd"
CHECKS = HERE / "check_scope.py"
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup"]

pytestmark = [pytest.mark.needs("systemd"), pytest.mark.timeout(400)]


@pytest.fixture
def own_cgroup() -> Iterator[Path]:
    """Make the cgroup that is the root of the private machine's."""
    parent = find_unified()
    if os.geteuid() != 0 or parent is None or not os.access(parent, os.W_OK):
        pytest.skip("needs root and a cgroup v2 that can be written")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespaces may be made here")
    folder = parent / f"systemd-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    assert remove_tree(folder, time.monotonic() + 30) == []


def boot(output: Path, cgroup: Path, command: list[str]) -> tuple[int, str]:
    """Run a command below a systemd of its own; returns its status and its output, which goes to that file first."""
    join = f'echo $$ > {cgroup}/cgroup.procs; exec "$@"'
    line = ["bash", "-c", join, "bash", *NAMESPACES, str(HERE / "boot.sh"), str(output), *command]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=350, check=False)
    return done.returncode, (output.read_text() if output.exists() else "") + done.stdout + done.stderr


def test_scopes_of_the_systems_systemd_end_every_tree(own_cgroup: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", *PLAIN, str(CHECKS)]
    status, output = boot(tmp_path / "output", own_cgroup, command)
    assert status == 0, output
    assert " passed" in output
    assert "skipped" not in output


def test_scopes_of_a_users_systemd_need_no_privilege(own_cgroup: Path, tmp_path: Path) -> None:
    variables = [f"{name}={value}" for name, value in environment().items()]
    checks = pytest_command(CHECKS, "--basetemp", f"/run/user/{NOBODY}/pytest", "-k", "not every_tree or daemon")
    status, output = boot(
        tmp_path / "output", own_cgroup, [str(HERE / "as_user.sh"), "/usr/bin/env", *variables, *checks]
    )
    assert status == 0, output
    assert " passed" in output
    assert "skipped" not in output
