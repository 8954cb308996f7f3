"""Run checks as a user without privileges, by a Python that this user may run."""

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["NOBODY", "PLAIN", "as_nobody", "environment", "need_root", "pytest_command", "python_for_nobody"]

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]
PLAIN = ("-q", "-c", os.devnull, "--rootdir", "/", "-p", "no:cacheprovider", "-p", "no:flakehunter")
"""Options of a pytest inside a pytest: no settings of the outer one."""


def need_root() -> None:
    """Leave the test out where there is no privilege to give up; all other tests run without one then."""
    if os.geteuid() != 0:
        pytest.skip("these tests have no privilege to give up")


def as_nobody(command: Sequence[str], *, cgroups: Sequence[Path] = ()) -> "subprocess.CompletedProcess[str]":
    """Run a command as nobody, inside these cgroups, to its end, with both streams in one."""
    join = "".join(f"echo $$ > {folder}/cgroup.procs && " for folder in cgroups)
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
    return subprocess.run(
        ["bash", "-c", f'{join}exec "$@"', "bash", *drop, "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        timeout=350,
        env=environment(),
    )


def environment() -> dict[str, str]:
    """Return an environment in which a Python of another user finds our packages."""
    paths = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    return {"PATH": path, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}


@functools.cache
def python_for_nobody() -> str:
    """Return a Python that nobody may run: ours may lie in root's own folder."""
    said = ""
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        if candidate is None:
            continue
        # A child of it has to be able to start it again: the first one may get in before its privileges are gone.
        code = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True)"
        imports = "import flakehunter.groupkill.choice, psutil, pytest"
        done = as_nobody([candidate, "-c", code, "-c", imports])
        if done.returncode == 0:
            return candidate
        said += f"{candidate}: {(done.stdout.splitlines() or [done.returncode])[-1]}; "
    pytest.skip(f"no Python that uid {NOBODY} may run with our packages: {said}")


def pytest_command(checks: Path, *options: str) -> list[str]:
    """Return the command that runs a file of checks by pytest, bare of plugins."""
    return [python_for_nobody(), "-m", "pytest", *PLAIN, *options, str(checks)]
