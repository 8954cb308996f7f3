"""What runs beside a trial, in its job: busy processes, or a command of a team's own stressor."""

import sys

assert sys.platform == "win32"

import subprocess
from collections.abc import Callable, Iterator, Sequence

from flakehunter.groupkill.command import Command
from flakehunter.groupkill.windows.process import WindowsProcess
from flakehunter.repro.trial import Load, TrialError

__all__ = ["KINDS", "start_loads"]

BUSY = "import sys; sys.stdout.write('up'); sys.stdout.flush()\nwhile True: pass"
KINDS = ("cpu", "command")


def start_loads(loads: Sequence[Load], create: Callable[[Command], WindowsProcess]) -> Iterator[WindowsProcess]:
    """Start the loads and yield each at once, so that none is lost; at the end all busy ones are up.

    A trial must not begin while an interpreter starts, and neither end: with members that are still starting, to end a
    job has brought Wine's server down.

    Raises:
        TrialError: one did not come up.
    """
    busy = []
    for load in loads:
        for _ in range(load.count):
            argv = load.argv if load.kind == "command" else (sys.executable, "-I", "-S", "-c", BUSY)
            output = subprocess.PIPE if load.kind == "cpu" else subprocess.DEVNULL
            process = create(Command(tuple(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL))
            yield process
            if load.kind == "cpu":
                busy.append(process)
    for process in busy:
        assert process.stdout is not None
        if process.stdout.read(2) != b"up":
            raise TrialError("a busy process did not start", hint="run again; look at what ends processes here")
