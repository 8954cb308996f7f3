"""Test windows: from when to when a test ran, in which process, and how it ended, as the marks of its runner say.

Without such marks the whole run is one window. What a runner does outside of its tests (it starts and ends workers, and
looks at them) is its own, and no finding.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from flakehunter.trace.marks import Mark
from flakehunter.trace.processes import Process

__all__ = ["BOUNDARIES", "Window", "Windows"]

START, BODY, RETURNED, END = "test", "body", "returned", "tested"
BOUNDARIES = frozenset({START, BODY, RETURNED, END})
"""What marks of a runner say: a test begins (its fixtures), its own function is called, has returned, all is over."""


@dataclass(slots=True)
class Window:
    """One test in one process; times are seconds since the epoch, None when it did not come to that."""

    test: str
    """The runner's name for the test: a node id of pytest; file and names joined by ` > ` for vitest and Node."""
    process: Process
    start: float
    body: float | None = None
    """When the test's own function was called; what was started since then belongs to this test alone."""
    returned: float | None = None
    end: float | None = None
    failed: bool | None = None
    file: str = ""
    line: int | None = None
    outermost: bool = True
    """Whether no other test of the process was running when it began."""

    def holds(self, time: float) -> bool:
        """Tell whether that moment is inside."""
        return self.start <= time and (self.end is None or time <= self.end)

    def is_of_body(self, time: float) -> bool:
        """Tell whether the test's own function ran at that moment, and not its fixtures."""
        return self.body is not None and self.body <= time and (self.returned is None or time <= self.returned)


class Windows:
    """All windows of a trace, in the order of their beginning, and who makes marks at all."""

    def __init__(self) -> None:
        self._of: dict[int, list[Window]] = {}
        self._all: list[Window] = []
        self._above: set[int] = set()
        """Indices of the runner's processes that are above those that run tests."""

    def __iter__(self) -> Iterator[Window]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def note(self, process: Process, mark: Mark, time: float) -> None:
        """Take in a mark of a runner."""
        mine = self._of.get(process.index)
        if mine is None:
            mine = self._of[process.index] = []
            self._above |= {above.index for above in process.ancestors()}
        if mark.what == START:
            begun = Window(mark.key, process, time, file=mark.file, line=mark.line)
            begun.outermost = not any(window.end is None for window in _reaching_back(mine, time))
            mine.append(begun)
            self._all.append(begun)
            return
        # A test may run tests itself, in the same process: the last one of that name that is not over is meant.
        window = next((one for one in reversed(mine) if one.end is None and one.test == mark.key), None)
        if window is None:
            return
        if mark.what == BODY:
            window.body = time
        elif mark.what == RETURNED:
            window.returned = time
        else:
            window.end, window.failed = time, mark.failed

    def of(self, process: Process, time: float) -> Window | None:
        """Return the test that the process worked for at that moment: its own, or that of the process above it."""
        for one in (process, *process.ancestors()):
            for window in _reaching_back(self._of.get(one.index, []), time):
                if window.holds(time):
                    return window
        return None

    def earliest_open(self) -> float:
        """Return when the first of the tests began that still run; infinity when none does."""
        running = (window.start for mine in self._of.values() for window in mine if window.end is None)
        return min(running, default=inf)

    def is_outside(self, process: Process, time: float) -> bool:
        """Tell whether the process belongs to a runner that makes marks, and no test of it ran at that moment."""
        family = (process, *process.ancestors())
        belongs = process.index in self._above or any(one.index in self._of for one in family)
        return belongs and self.of(process, time) is None

    def is_above(self, process: Process) -> bool:
        """Tell whether the process is a runner whose workers run tests and make marks, and it runs none itself.

        Its waits are for its workers, also when a test of another runner has started it.
        """
        return process.index in self._above and process.index not in self._of

    def service_of(self, process: Process) -> Process | None:
        """Return the process that a fixture started, of which this is one or a descendant; None when there is none.

        What the test's own function started is the test's, whatever it does.
        """
        below: Process | None = None
        for one in (process, *process.ancestors()):
            if one.index in self._of:
                window = self.of(one, below.spawned) if below is not None else None
                is_of_test = below is not None and window is not None and window.is_of_body(below.spawned)
                return None if is_of_test else below
            below = one
        return None


def _reaching_back(mine: Sequence[Window], time: float) -> Iterator[Window]:
    """Yield the tests of a process that may hold that moment, the latest first."""
    for position in range(bisect_right(mine, time, key=lambda window: window.start) - 1, -1, -1):
        yield mine[position]
        if mine[position].outermost:
            return
