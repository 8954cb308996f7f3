"""A pytest plugin inside a traced run: marks where each test begins and ends, and whether it failed.

A mark is access(2) on a path that does not exist; see flakehunter/trace/marks.py and windows.py. pytest loads this by
the entry point beside it, since this folder is on the PYTHONPATH of traced runs: whether or not flakehunter is
installed where pytest is. It changes nothing of what pytest does, and works with every pytest since 6.1.
"""
# mypy: ignore-errors

import os
from urllib.parse import quote

import pytest

_failed = set()


def _mark(what, item, fields=""):
    file, line, _name = item.location
    path = quote(str(item.config.rootpath / file), safe="/")
    os.access(f"/.flakehunter/{what}/id={quote(item.nodeid, safe='')}{fields}/{path}:{(line or 0) + 1}", os.F_OK)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """The whole test: fixtures, function, and the clean-up of what no later test needs."""
    _mark("test", item)
    yield
    outcome = "failed" if item.nodeid in _failed else "passed"
    _failed.discard(item.nodeid)
    _mark("tested", item, f",outcome={outcome}")


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_call(item):
    """The test's own function."""
    _mark("body", item)
    yield
    _mark("returned", item)


def pytest_runtest_logreport(report):
    """A part of the test has an outcome; of the last attempt, where a plugin runs it again."""
    if report.when == "setup":
        _failed.discard(report.nodeid)
    if report.failed:
        _failed.add(report.nodeid)
