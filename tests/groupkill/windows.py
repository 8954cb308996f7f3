"""Run our programs by the Windows Python under Wine, with the packages that flakehunter needs there."""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["CACHE", "ON_WINDOWS", "ROOT", "make_site", "run_on_windows"]

ROOT = Path(__file__).resolve().parents[2]
ON_WINDOWS = Path(__file__).parent / "on_windows"
CACHE = ROOT / ".cache"
PACKAGES = CACHE / "windows-site"


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold what only one test at a time may use: the packages while they are installed."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "windows.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_packages() -> None:
    wanted = ON_WINDOWS / "requirements.txt"
    stamp = PACKAGES / "requirements.txt"
    if not stamp.is_file() or stamp.read_bytes() != wanted.read_bytes():
        shutil.rmtree(PACKAGES, ignore_errors=True)
        platform = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:", "--no-compile"]
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
        command = [*pip, "--require-hashes", "--target", str(PACKAGES), *platform, "-r", str(wanted)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.copy(wanted, stamp)


def make_site(folder: Path) -> Path:
    """Make the entry points of our own package in `folder`, and fetch the Windows packages that it needs, once."""
    with locked():
        _install_packages()
    info = folder / "flakehunter_ci-0.dist-info"
    info.mkdir(exist_ok=True)
    own = distribution("flakehunter-ci")
    for name in ("METADATA", "entry_points.txt"):
        (info / name).write_text(own.read_text(name) or "")
    return folder


def run_on_windows(site: Path, *arguments: str, limit_s: float = 240.0) -> "subprocess.CompletedProcess[str]":
    """Run a Python program of ours on Windows: its path and arguments, or `-m` and a module.

    Compiled modules are kept, which an embedded Python does not do by itself: each start of the command line would take
    seconds.
    """
    sys.path.insert(0, str(ROOT / "sample_data"))
    try:
        import windows_python
    finally:
        sys.path.pop(0)
    python = windows_python.set_up(CACHE / "windows-python")
    folders = [f"Z:{folder}" for folder in (ROOT, PACKAGES, site)]
    code = (
        f"import runpy, sys; sys.path[:0] = {folders!r}; sys.argv[:] = sys.argv[1:]; "
        f"sys.dont_write_bytecode = False; sys.pycache_prefix = {f'Z:{CACHE}/windows-pycache'!r}; "
        "m = sys.argv[0] == '-m' and sys.argv.pop(0); "
        "runpy.run_module(sys.argv[0], run_name='__main__') if m else runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done: subprocess.CompletedProcess[str] = python.run("-c", code, *arguments, cwd=site, limit_s=limit_s)
    return done
