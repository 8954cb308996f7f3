"""The sample history: commits that lead up to sample_data/project, with the same SHAs wherever they are built.

`history/NN-….patch` is commit NN: a subject line, a body and a diff. Commit 1 is the project with all taken back.
"""

import datetime
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PROJECT = HERE / "project"
PATCHES = HERE / "history"
AUTHOR = "Jo Keeper"
EMAIL = "jo@jobkeeper.example"
FIRST_DAY = datetime.datetime(2026, 10, 5, 9, 30, tzinfo=datetime.UTC)
SHORT_SHA = 12
NO_PART_OF_IT = ("node_modules", "__pycache__", ".*cache", "flakehunter.toml")
"""What stands beside the project's own files: how flakehunter runs its tests may change without a new record."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the sample history; `number` counts from 1."""

    number: int
    sha: str
    subject: str
    date: str

    @property
    def short(self) -> str:
        """Return the SHA as the record writes it."""
        return self.sha[:SHORT_SHA]


def build(repository: Path) -> list[Commit]:
    """Make the git repository in the new folder `repository` and return its commits, oldest first.

    Raises:
        RuntimeError: the patches do not lead up to sample_data/project.
    """
    shutil.copytree(PROJECT, repository, ignore=shutil.ignore_patterns(*NO_PART_OF_IT))
    _git(repository, "init", "--quiet", "--initial-branch=main")
    _git(repository, "add", "--all")
    final_tree = _git(repository, "write-tree")
    patches = sorted(PATCHES.glob("*.patch"))
    for patch in reversed(patches):
        _git(repository, "apply", "--index", "--reverse", str(patch))
    commits = [_commit(repository, 1, "jobkeeper: jobs, a pool, an agent\n")]
    for number, patch in enumerate(patches, 2):
        _git(repository, "apply", "--index", str(patch))
        message = patch.read_text(encoding="utf-8").removeprefix("Subject: ").partition("\ndiff --git ")[0]
        commits.append(_commit(repository, number, message))
    if _git(repository, "rev-parse", "HEAD^{tree}") != final_tree:
        raise RuntimeError(f"the patches of {PATCHES} do not lead up to {PROJECT}")
    return commits


def _commit(repository: Path, number: int, message: str) -> Commit:
    date = (FIRST_DAY + datetime.timedelta(days=number - 1, minutes=37 * number)).isoformat()
    _git(repository, "commit", "--quiet", "--message", message, date=date)
    return Commit(number, _git(repository, "rev-parse", "HEAD"), message.partition("\n")[0], date)


def _git(repository: Path, *args: str, date: str = "") -> str:
    # Nothing of the user's own configuration may reach the commits: hooks, signatures, line ends.
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_COMMITTER_DATE": date,
        "LC_ALL": "C",
    }
    done = subprocess.run(["git", *args], cwd=repository, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout.strip()
