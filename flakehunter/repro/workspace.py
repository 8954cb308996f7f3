"""What an experiment puts on disk: a folder of its own and git worktrees, gone at the end even after SIGKILL."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.trial import PACKAGE_ROOT

LINKED = ("node_modules",)
"""What git does not keep but a test cannot run without: linked into a worktree from where it is."""


class Workspace:
    """A temporary folder with a caretaker process that removes it, and every worktree, when this process ends."""

    def __init__(self) -> None:
        self._caretaker = here.start_caretaker()
        self.folder = Path(tempfile.mkdtemp(prefix="flakehunter-"))
        self._care("folder", str(self.folder))

    def _care(self, *entry: str) -> None:
        stream = self._caretaker.stdin
        assert stream is not None
        stream.write(json.dumps(entry).encode() + b"\n")
        stream.flush()

    def expect_quota(self) -> None:
        """Have cgroups of CPU quotas removed that killed supervisors leave."""
        self._care("quota")

    def journal(self) -> Path:
        """Return where to write the journal of the experiment, which is stored if this process is killed."""
        path = self.folder / "journal.jsonl"
        self._care("journal", str(path), str(PACKAGE_ROOT), *sys.path)
        return path

    def worktree(self, revision: str, folder: Path) -> Path:
        """Check `revision` out beside the repository that holds `folder`; return the folder's counterpart in it.

        Raises:
            UsageError: `folder` is in no git repository, or there is no such revision.
        """
        top = Path(_git(folder, "rev-parse", "--show-toplevel", hint="--fix-rev needs a git checkout; or use --fix"))
        commit = _git(
            top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", hint=f"no revision {revision!r}: git log"
        )
        path = self.folder / f"worktree-{commit[:12]}"
        self._care("worktree", str(top), str(path))
        _git(top, "worktree", "add", "--detach", "--quiet", str(path), commit, hint="mend what git says")
        counterpart = path / folder.resolve().relative_to(top.resolve())
        if not counterpart.is_dir():
            raise UsageError(f"{folder} does not exist in {revision}", hint="give a revision that has it")
        for name in LINKED:
            if (folder / name).is_dir() and not (counterpart / name).exists():
                _link(counterpart / name, (folder / name).resolve())
        return counterpart

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with here.uninterrupted():
            stream = self._caretaker.stdin
            assert stream is not None
            stream.close()
            self._caretaker.wait()


def _link(place: Path, folder: Path) -> None:
    try:
        place.symlink_to(folder, target_is_directory=True)
    except OSError as error:  # Windows asks for a privilege
        raise UsageError(f"cannot link {folder} into the worktree: {error.strerror}", hint="use --fix") from error


def _git(folder: Path, *words: str, hint: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"cannot run git: {error.strerror}", hint="install git, or use --fix") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"git {words[0]} failed"
        raise UsageError(f"git in {folder}: {said}", hint=hint)
    return done.stdout.strip()
