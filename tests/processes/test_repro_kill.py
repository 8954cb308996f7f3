"""However the harness ends in the middle of a trial: nothing of it stays, neither process nor file nor worktree."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cgroups import cgroups_of

from flakehunter.db.engine import open_database
from flakehunter.db.queries.experiments import trials_of
from flakehunter.groupkill.linux.procfs import read_argv, read_environ, snapshot
from flakehunter.model import TrialOutcome
from flakehunter.repro.linux.quota import quota_parents
from flakehunter.repro.stressors import find_stressor

LIMIT_S = 100.0
"""When a wait is given up as a hang: a loaded machine takes its time to start three interpreters."""

pytestmark = pytest.mark.timeout(400)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def argv_of(pid: int) -> bytes:
    return " ".join(read_argv(pid)).encode()


class Harness:
    """A `flakehunter repro` in a process of its own, and an outside view of all that bears its cookie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cookie = f"REPRO_TEST_COOKIE={os.getpid()}-{time.monotonic_ns()}"
        name, _, value = self.cookie.partition("=")
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.env = {**os.environ, name: value, "TMPDIR": str(self.temporary)}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flakehunter", "repro", "--db", str(self.folder / "repro.db"), *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def members(self) -> list[int]:
        """Return all living processes that were started with the cookie in their environment."""
        return [
            stat.pid
            for stat in snapshot().values()
            if not stat.is_dead and self.cookie.encode() in (read_environ(stat.pid) or b"")
        ]

    def end_all(self) -> None:
        for pid in self.members():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    started = Harness(tmp_path)
    yield started
    started.end_all()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    # The first run in each folder is the rehearsal that looks for the first victim.
    (folder / "run.sh").write_text(
        "[ -e first ] || { touch first; exit 0; }; setsid sleep 300 & touch started; sleep 301\n"
    )
    for words in (["init", "-q"], ["add", "run.sh"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["ctrl-c", "sigterm", "sigkill"],
)
def test_a_harness_that_ends_in_a_trial_leaves_nothing(
    harness: Harness, repository: Path, number: int, code: int
) -> None:
    process = harness.start("--stress", "cpu:2", "--fix-rev", "HEAD", "-C", str(repository), "--", "bash", "run.sh")
    until((repository / "started").exists, "no trial started")
    until(
        lambda: len(harness.members()) >= 8, "somebody is missing"
    )  # harness, caretaker, nursery, supervisor, two hogs, bash, sleeps
    assert list(harness.temporary.glob("flakehunter-*/worktree-*"))
    process.send_signal(number)
    assert process.wait(LIMIT_S) == code
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    assert "Traceback" not in said
    until(lambda: not harness.members(), "processes are left")
    until(lambda: not list(harness.temporary.iterdir()), "files are left")
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, check=True, capture_output=True, text=True)
    assert len(listed.stdout.splitlines()) == 1


@pytest.mark.parametrize("stress", ["none", "quota:50"])
def test_harness_nursery_and_supervisor_killed_at_one_blow_leave_nothing(
    harness: Harness, tmp_path: Path, stress: str
) -> None:
    if not find_stressor(stress.partition(":")[0]).probe().usable:
        pytest.skip(f"{stress} does not work here")
    line = "setsid sleep 300 & (sleep 301 &) ; touch started; sleep 302"
    process = harness.start("--stress", stress, "--", "bash", "-c", line)
    until((tmp_path / "started").exists, "no trial started")
    family = [process.pid, *(pid for pid in harness.members() if b"flakehunter.repro.linux.nursery" in argv_of(pid))]
    assert len(family) == 3  # the supervisor is a fork of the nursery
    for pid in family:
        with contextlib.suppress(ProcessLookupError):  # the others end with the first, and that may be sooner
            os.kill(pid, signal.SIGKILL)
    assert process.wait(LIMIT_S) == -9
    assert process.stderr is not None
    process.stderr.close()
    until(lambda: not harness.members(), "processes are left")
    until(lambda: not list(harness.temporary.iterdir()), "files are left")
    until(lambda: not any(cgroups_of(family, parent) for parent, _ in quota_parents()), "a cgroup is left")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "sigkill"])
def test_trials_that_ended_before_the_harness_did_are_in_the_database(
    harness: Harness, tmp_path: Path, number: int
) -> None:
    line = "[ -e first ] && { touch second; sleep 300; }; touch first"
    process = harness.start("--stress", "none", "--", "bash", "-c", line)
    until((tmp_path / "second").exists, "no second trial started")
    assert not (tmp_path / "repro.db").exists()  # nothing has failed yet
    process.send_signal(number)
    process.wait(LIMIT_S)
    assert process.stderr is not None
    process.stderr.close()
    until(lambda: not harness.members(), "processes are left")
    until(lambda: not list(harness.temporary.iterdir()), "files are left")
    engine = open_database(f"sqlite:///{tmp_path / 'repro.db'}")
    with engine.connect() as connection:
        assert [trial.outcome for _, trial in trials_of(connection, 1)] == [TrialOutcome.PASSED]
    engine.dispose()


def test_a_harness_that_comes_to_its_end_leaves_nothing(harness: Harness) -> None:
    line = "setsid sleep 300 & exit 1"
    process = harness.start("--stress", "reap-delay:20s", "--", "bash", "-c", line)
    assert process.wait(LIMIT_S) == 0
    assert process.stderr is not None
    process.stderr.close()
    assert harness.members() == []
    assert list(harness.temporary.iterdir()) == []
