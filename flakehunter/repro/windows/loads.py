"""What runs beside a trial, in its job: busy processes."""

import sys

assert sys.platform == "win32"

import subprocess
from collections.abc import Callable, Iterator, Sequence

from flakehunter.groupkill.command import Command
from flakehunter.groupkill.windows.process import WindowsProcess
from flakehunter.repro.trial import Load, TrialError

__all__ = ["KINDS", "start_loads"]

KINDS = ("cpu",)
PYTHON = getattr(sys, "_base_executable", sys.executable)
"""Not the one of a virtual environment, which starts this one as a child of its own: that would be nobody's load."""
BUSY = (PYTHON, "-I", "-S", "-c", "import sys; sys.stdout.write('up'); sys.stdout.flush()\nwhile True: pass")


def start_loads(loads: Sequence[Load], create: Callable[[Command], WindowsProcess]) -> Iterator[WindowsProcess]:
    """Start the busy processes and yield each at once, so that none is lost; at the end all are up.

    A trial must not begin while an interpreter starts, and neither end: with members that are still starting, to end a
    job has brought Wine's server down.

    Raises:
        TrialError: one did not come up.
    """
    started = []
    for _ in range(sum(load.count for load in loads)):
        command = Command(BUSY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(create(command))
        yield started[-1]
    for process in started:
        assert process.stdout is not None
        if process.stdout.read(2) != b"up":
            raise TrialError("a busy process did not start", hint="run again; look at what ends processes here")
