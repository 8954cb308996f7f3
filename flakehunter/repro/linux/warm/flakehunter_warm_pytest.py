"""A pytest plugin that stops a pytest just before it configures its session and forks it there, once per trial.

Plugins, configuration and the first conftest.py files are loaded by then; collection, test modules and fixtures are new
in each trial. It lives in a folder of its own so that this folder, and nothing else of flakehunter's, can be put on the
path of the test project's interpreter.
"""

import sys

assert sys.platform == "linux"

import atexit
import os
import signal
import socket
import sysconfig
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

CONTROL = "FLAKEHUNTER_WARM_FD"
ROOT = "FLAKEHUNTER_WARM_ROOT"
PYTHONPATH = "FLAKEHUNTER_WARM_PYTHONPATH"
SWEEP_DEADLINE_S = 5.0


def _list_libraries(before: "set[str]", path: str) -> None:
    """Write the names of the libraries imported since `before`: never a module of the project or a test."""
    places = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    names = [
        name
        for name, module in list(sys.modules.items())
        if name not in before and str(getattr(module, "__file__", None) or "").startswith(places)
    ]
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("\n".join(names))


def _serve(control: socket.socket, root: str) -> "dict[str, Any]":
    sys.path.append(root)
    try:
        from flakehunter.groupkill.linux.sweep import become_subreaper, sweep
        from flakehunter.repro.linux.nursery import serve, why_unsafe
    finally:
        sys.path.remove(root)
    why = why_unsafe()
    if "randomly" in sys.modules or "pytest_randomly" in sys.modules:
        why = "pytest-randomly would give every trial the same seed"
    if why:
        # What a conftest.py has started it would end at its own end, which is not reached.
        become_subreaper()
        sweep(deadline_s=SWEEP_DEADLINE_S)
        control.sendall(f"unsafe: {why}\n".encode())
        os._exit(0)
    return serve(control)


def _restore_environment() -> None:
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    original = os.environ.pop(PYTHONPATH)
    if original:
        os.environ["PYTHONPATH"] = original
    else:
        os.environ.pop("PYTHONPATH", None)
    for name in (CONTROL, ROOT):
        del os.environ[name]


class _Window:
    """Tells the supervisor when a test runs, so that stress begins and ends with it."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)

    def _say(self, word: bytes) -> None:
        self._socket.sendall(word)
        self._socket.recv(1)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> "Generator[None, None, None]":
        """Put fixtures, test and teardown into the window."""
        self._say(b"1")
        yield
        self._say(b"0")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: "pytest.Config") -> None:
    """Serve trials; each trial's process comes back from here and goes on as the pytest it would have been."""
    if CONTROL not in os.environ:
        return  # a pytest that a trial has started itself, with the options of this one
    # Workers of pytest-xdist are given the options; for them this plugin is not there.
    config.option.plugins = [name for name in config.option.plugins if name != __name__]
    control = socket.socket(fileno=int(os.environ[CONTROL]))
    root = os.environ[ROOT]
    _restore_environment()
    # Capturing began with the conftest.py files and holds the nursery's own output: it is set up anew in the trial.
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    spec = _serve(control, root)
    capture.start_global_capturing()
    capture.suspend_global_capture()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if spec["loads_wait"]:
        config.pluginmanager.register(_Window(spec["window"]), "flakehunter-window")
    if spec["junit"]:
        config.option.xmlpath = spec["junit"]
    if spec["modules"]:
        atexit.register(_list_libraries, set(sys.modules), spec["modules"])
