"""Find the one delay that makes a test fail: record who there is, climb a ladder of single delays, bisect, confirm.

The plan that fails is the diagnosis: "fails when process 3, `sleep 30`, ends at least 18 ms late". Pure but for the
trials that it is given to run.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from flakehunter.model import Mechanism, TrialOutcome
from flakehunter.repro.stressors.base import show_milliseconds
from flakehunter.repro.trial import Delay, ProcessRecord, TrialReport

PLAIN_TRIALS = 3
CONTROL_TRIALS = 4
LADDER_MS = (10.0, 50.0, 250.0, 1000.0, 2000.0)
VERY_SLOW_S = 1.0
"""A test that takes longer is run plain once, and twice under `control`: the time is needed for the search."""

SLOW_S = 0.5
"""A test that takes longer is not tried on the first rung: what fails there fails on the second, too."""

EVENTS = ("exit", "signal", "report", "start")
"""Likeliest first: most flakes of this kind look before an exit."""

CONFIRMATIONS = 4
"""So many failures in a row after the first; a test that fails every other time by itself gets there once in 16."""

BISECT_TRIALS = 3
"""Of a delay; the majority decides."""

MARGIN = 4.0
MARGIN_MS = 100.0
"""How far above the critical delay the experiment goes: on a busy machine the look itself comes late, and 1 of 8 trials
passed with twice the critical delay."""

MOST_PROCESSES = 12
LONGEST_ARGV = 80
"""Characters of a command line in a sentence."""

HARMLESS = frozenset({"SIGCHLD", "SIGCONT", "SIGWINCH", "SIGURG"})
TOGETHER_MS = 20.0
"""Signals so close to each other are one kill."""

Attempt = Callable[[str, str], tuple[TrialOutcome, TrialReport | None] | None]
"""Runs a trial (arm, stressor) and returns what came out; None when the time is up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The single delay that makes the test fail, and the smallest one that still does."""

    process: ProcessRecord
    event: str
    delay_ms: float
    """What the trials of the experiment use: comfortably above the critical delay."""
    critical_delay_ms: float
    failures_by_itself: int
    """Of the trials without a delay, plain and traced."""
    first_victim: int = 0
    """Number of the first process that is signalled; 0 for none."""
    is_victim: bool = True
    """Whether the process is signalled at all before the test ends."""
    waits: bool = False
    """Whether the test takes longer when the process is late, but not too late: then it waits, for too short a time."""

    @property
    def stressor(self) -> str:
        """Return it as a stressor."""
        return delay_stressor(Delay(self.event, self.delay_ms, self.process.index))

    @property
    def mechanism(self) -> Mechanism:
        """Return what the plan implies.

        A late start is about readiness, or about a process that comes too late to take another in. A late signal, where
        a late exit does no harm, is about what the process does on it: it lets go of something. A zombie can only be
        taken for alive by others than its parent. How late an exit may come tells a look at once from a short pause.
        """
        if self.event == "start":
            return Mechanism.SIGNAL_BEFORE_READY if self.is_victim else Mechanism.ASSIGN_AFTER_EXIT
        if self.event == "signal":
            return Mechanism.RESOURCE_STILL_HELD
        if self.event == "report" and self.process.depth != 1:
            return Mechanism.ZOMBIE_COUNTED_ALIVE
        if self.event == "exit" and not self.is_victim:
            return Mechanism.SURVIVOR
        if self.critical_delay_ms <= LOOK_AT_ONCE_MS:
            return Mechanism.CHECK_BEFORE_EXIT
        return Mechanism.DEADLINE_TOO_SHORT if self.waits else Mechanism.FIXED_SLEEP

    def may_be(self, mechanism: Mechanism) -> bool:
        """Whether other evidence for `mechanism` goes together with the plan."""
        return mechanism in COMPATIBLE[self.event]

    @property
    def sentence(self) -> str:
        """Return the diagnosis in one sentence."""
        deed = {"exit": "ends", "signal": "gets its signal", "report": "is reaped", "start": "starts"}[self.event]
        how = "fails if and only if" if self.failures_by_itself == 0 else "fails every time when"
        generation = {0: "the test itself", 1: "child of the test", 2: "grandchild of the test"}.get(
            self.process.depth or 0, f"{self.process.depth} generations below the test"
        )
        return (
            f"{how} process {self.process.index} (`{_short(self.process.argv)}`, {generation}) {deed} "
            f"≥ {self.critical_delay_ms:.0f} ms late"
        )


COMPATIBLE = {
    "exit": frozenset(Mechanism) - {Mechanism.SIGNAL_BEFORE_READY, Mechanism.ASSIGN_AFTER_EXIT},
    "signal": frozenset({Mechanism.RESOURCE_STILL_HELD, Mechanism.FIXED_SLEEP, Mechanism.DEADLINE_TOO_SHORT}),
    "report": frozenset({Mechanism.ZOMBIE_COUNTED_ALIVE, Mechanism.FIXED_SLEEP, Mechanism.CHECK_BEFORE_EXIT}),
    "start": frozenset({Mechanism.SIGNAL_BEFORE_READY, Mechanism.ASSIGN_AFTER_EXIT}),
}

LEAST_WAIT_MS = 20.0
"""A delay shorter than that cannot be told from noise in the duration of a trial."""

LOOK_AT_ONCE_MS = 10.0
"""Below it, no deliberate pause stands between the signal and the look."""


def _short(argv: str) -> str:
    line = " ".join(argv.split())
    return line if len(line) <= LONGEST_ARGV else line[: LONGEST_ARGV - 1] + "…"


def delay_stressor(delay: Delay) -> str:
    """Return it as it is written for `--stress`."""
    return f"delay:{delay.event}:{show_milliseconds(round(delay.ms, 3))}@{delay.who}"


def search(attempt: Attempt) -> Plan | None:
    """Return the plan that makes the test fail every time, or None when no single delay does, or time is up."""
    by_itself = 0
    for _ in range(PLAIN_TRIALS):
        result = attempt("plain", "none")
        if result is None:
            return None
        by_itself += result[0] is TrialOutcome.FAILED
        if result[1] is not None and result[1].duration_s > VERY_SLOW_S:
            break
    controls: list[tuple[TrialOutcome, TrialReport]] = []
    for number in range(CONTROL_TRIALS):
        result = attempt("control", "control")
        if result is None:
            return None
        if result[1] is not None:
            controls.append((result[0], result[1]))
            if number and result[1].duration_s > VERY_SLOW_S:
                break
    if not controls or all(outcome is TrialOutcome.FAILED for outcome, _ in controls):
        return None  # what fails without any delay cannot be told by one
    # The richest record: a trial that failed early never started all of them, or signalled some before their exec.
    richest = max((report for _, report in controls), key=lambda report: _richness(report.processes))
    processes = richest.processes
    by_itself += sum(outcome is TrialOutcome.FAILED for outcome, _ in controls)
    durations = [report.duration_s for _, report in controls]
    lowest = 0 if statistics.median(durations) <= SLOW_S else 1
    found = _climb(attempt, list(candidates(processes)), LADDER_MS[lowest:])
    if found is None:
        return None
    process, event, low, high = found
    critical, passed = _bisect(attempt, Delay(event, high, process.index), low)
    used = float(math.ceil(min(max(critical * MARGIN, critical + MARGIN_MS), LADDER_MS[-1])))
    return Plan(
        process,
        event,
        used,
        critical,
        by_itself,
        first_victim(richest),
        is_victim=_was_signalled(process, richest.duration_s * 1000),
        waits=_waits(passed, durations),
    )


def _climb(
    attempt: Attempt, ordered: Sequence[tuple[ProcessRecord, str]], rungs: Sequence[float]
) -> tuple[ProcessRecord, str, float, float] | None:
    """Return (process, event, a delay that is too short, one that fails every time); None for none, or no time.

    All are tried on a rung before the next one, so that the most sensitive is found. On a busy machine the look itself
    comes late, and the right one may fail first and pass later; or another fails by accident. So, after a failure that
    does not last, it and all that are likelier are tried one rung higher before those that are less likely.
    """
    tried: set[tuple[int, str, float]] = set()
    for place, rung in enumerate(rungs):
        low = rungs[place - 1] if place else 0.0
        for number, (process, event) in enumerate(ordered):
            failures = _streak(attempt, Delay(event, rung, process.index), 1 + CONFIRMATIONS)
            if failures is None:
                return None
            if failures == 1 + CONFIRMATIONS:
                return process, event, low, rung
            if failures == 0 or place + 1 == len(rungs):
                continue
            for likelier, its_event in ordered[: number + 1]:
                again = (likelier.index, its_event, rungs[place + 1])
                if again in tried:
                    continue
                tried.add(again)
                failures = _streak(attempt, Delay(its_event, rungs[place + 1], likelier.index), 1 + CONFIRMATIONS)
                if failures is None:
                    return None
                if failures == 1 + CONFIRMATIONS:
                    return likelier, its_event, low, rungs[place + 1]
    return None


def candidates(processes: Sequence[ProcessRecord]) -> Iterator[tuple[ProcessRecord, str]]:
    """Give (process, event), likeliest first: the deepest victims of signals, what is below them, the others."""
    victims = {process.index for process in processes if _was_signalled(process)}

    def rank(process: ProcessRecord) -> tuple[int, int, int]:
        kind = 0 if process.index in victims else 1 if process.parent_index in victims else 2
        return kind, -(process.depth or 0), process.index

    ordered = sorted((process for process in processes if process.index > 1), key=rank)[:MOST_PROCESSES]
    for event in EVENTS:
        for process in ordered:
            if event == "signal" and not any(name != "SIGKILL" for name, _, _ in process.signals):
                continue  # SIGKILL cannot be held on its way
            if event == "start" and process.exec_at_ms is None:
                continue
            yield process, event


def _richness(processes: Sequence[ProcessRecord]) -> tuple[int, int]:
    return len(processes), sum(process.exec_at_ms is not None for process in processes)


def _was_signalled(process: ProcessRecord, end_ms: float = math.inf) -> bool:
    return any(name not in HARMLESS and at < end_ms for name, at, _ in process.signals)


def first_victim(report: TrialReport) -> int:
    """Return the number of the first process of those that are signalled together and first of all; 0 for none.

    The command itself does not count, and neither does what happens after its end: that is the supervisor's doing.
    """
    end_ms = report.duration_s * 1000
    first = {
        process.index: min(moments)
        for process in report.processes
        if process.index > 1
        and (moments := [at for name, at, _ in process.signals if name not in HARMLESS and at < end_ms])
    }
    if not first:
        return 0
    begin = min(first.values())
    return min(index for index, moment in first.items() if moment <= begin + TOGETHER_MS)


def _streak(attempt: Attempt, delay: Delay, trials: int) -> int | None:
    """Return how many trials in a row fail, at most `trials`; None when time is up."""
    for failures in range(trials):
        result = attempt("search", delay_stressor(delay))
        if result is None:
            return None
        if result[0] is not TrialOutcome.FAILED:
            return failures
    return trials


def _waits(passed: Sequence[tuple[float, float]], control_s: Sequence[float]) -> bool:
    """Whether the trial that passed with the longest delay (in ms, duration in s) took as much longer as its delay was.

    What the trials without a delay differ by among themselves is not counted as waiting.
    """
    longest_ms, duration_s = max(passed, default=(0.0, 0.0))
    longer_ms = (duration_s - max(control_s)) * 1000
    return longest_ms >= LEAST_WAIT_MS and longer_ms >= longest_ms / 2


def _bisect(attempt: Attempt, delay: Delay, low_ms: float) -> tuple[float, list[tuple[float, float]]]:
    """Return the smallest delay that still fails more often than not, since one late look must not decide.

    With it come the delay in ms and the duration in s of each trial that passed.
    """
    passed = []

    def fails(middle_ms: float) -> bool | None:
        failures = passes = 0
        while max(failures, passes) <= BISECT_TRIALS // 2:
            result = attempt("search", delay_stressor(replace(delay, ms=middle_ms)))
            if result is None:
                return None
            failures += result[0] is TrialOutcome.FAILED
            passes += result[0] is not TrialOutcome.FAILED
            if result[0] is TrialOutcome.PASSED and result[1] is not None:
                passed.append((middle_ms, result[1].duration_s))
        return failures > passes

    return bisect(fails, low_ms, delay.ms), passed


def bisect(fails: Callable[[float], bool | None], low_ms: float, high_ms: float) -> float:
    """Return, to a fifth or 1 ms, the smallest delay at which `fails`; None from it ends the search early."""
    while high_ms - low_ms > max(1.0, high_ms / 5):
        middle_ms = math.sqrt(low_ms * high_ms) if low_ms > 0 else high_ms / 2
        failed = fails(middle_ms)
        if failed is None:
            break
        low_ms, high_ms = (low_ms, middle_ms) if failed else (middle_ms, high_ms)
    return high_ms
