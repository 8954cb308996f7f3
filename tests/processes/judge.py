"""End a tree by a backend and let the observer, not the backend, say what is left."""

import signal
import subprocess
import time

import psutil
from trees import Observer, Tree

from flakehunter.groupkill import KillReport
from flakehunter.groupkill.choice import load_backend

__all__ = ["await_childless", "check_members", "end"]


def end(backend: str, tree: Tree, observer: Observer, number: int, *, grace_s: float = 5.0) -> KillReport:
    """Start `tree` under `backend`, wait until it stands, and end it."""
    with load_backend(backend).spawn(
        observer.argv(tree), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as group:
        assert group.stdout is not None
        assert group.stdout.readline() == b"up\n"
        observer.wait_for(tree.members)
        report = group.terminate(number, grace_s=grace_s, deadline_s=90)
        left = observer.living()
        # The judge is the observer. What it still sees must stand in the report, under its pid.
        assert left == {member.pid for member in report.survivors}
        assert report.clean == (not left)
        if left:
            assert all(member.why for member in report.survivors)
            observer.end_all()
    return report


def await_childless(pid: int, within_s: float) -> None:
    """Wait until nothing is below a process."""
    process = psutil.Process(pid)
    deadline = time.monotonic() + within_s
    while process.children(recursive=True) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.children(recursive=True) == []


def check_members(report: KillReport) -> None:
    """Check what a report must say of each member that was ended."""
    for member in report.members:
        assert member.start_ticks is not None
        assert member.argv
        if member not in report.survivors:
            assert member.exit_ms is not None
        # One that nobody signalled has ended by itself, and not by SIGKILL.
        assert member.signals or member.escaped or member.status != -signal.SIGKILL
