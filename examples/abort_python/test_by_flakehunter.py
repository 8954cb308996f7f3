"""Mended by flakehunter: `terminate` returns when every member has ended, and says what became of each."""

import subprocess

from runner import SCRIPT

from flakehunter.groupkill import spawn


def test_abort_ends_the_grandchild():
    with spawn(["bash", "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as group:
        grandchild = int(group.stdout.readline())
        report = group.terminate()
        assert report.clean, report.survivors
        assert grandchild in {member.pid for member in report.members}
