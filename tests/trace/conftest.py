"""Tests of traces that need strace say so by the fixture `strace`."""

import os
import shutil

import pytest

from flakehunter.trace.command import Strace, find_strace


@pytest.fixture(scope="session")
def strace() -> Strace:
    """Give the strace of this machine; leave the test out where there is none, but in CI that is a failure."""
    if shutil.which("strace") is None:
        if os.environ.get("CI"):
            pytest.fail("strace is not on this machine, and nothing may be left out in CI", pytrace=False)
        pytest.skip("needs strace, which is not on this machine")
    return find_strace()
