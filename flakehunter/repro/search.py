"""Find the one delay that makes a test fail: record who there is, climb a ladder of single delays, confirm, bisect.

The plan that fails is the diagnosis: "fails when process 3, `sleep 30`, ends at least 18 ms late". Pure but for the
trials that it is given to run.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flakehunter.model import Mechanism, TrialOutcome
from flakehunter.repro.stressors.base import show_milliseconds
from flakehunter.repro.trial import Delay, ProcessRecord, TrialReport

PLAIN_TRIALS = 3
CONTROL_TRIALS = 4
LADDER_MS = (250.0, 1000.0, 2000.0)
"""The first rung is more than most pauses of tests: the likeliest event mostly fails at once, and bisection goes down
from there in fewer trials than a climb from 10 ms takes, on which all candidates pass. A held process needs no CPU."""

VERY_SLOW_S = 1.0
"""A test that takes longer is run plain once, and twice under `control`: the time is needed for the search."""

EVENTS = ("exit", "signal", "report", "start")
"""Likeliest first: most flakes of this kind look before an exit."""

CONFIRMATIONS = 4
"""So many failures in a row after the first; a test that fails every other time by itself gets there once in 16."""

BISECT_TRIALS = 3
"""Of a delay; the majority decides."""

FRACTION = 4.0
"""Of the critical delay, with which another event has to fail to be taken for the cause instead."""

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
    """Whether the process is signalled before the test ends, as far as a tracer can tell."""
    waits: bool = False
    """Whether the test ends later when the process ends late, but not too late: then it waits, for too short a time."""

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
"""Where no trial passed with such a delay, it cannot be told from noise in the end of a trial."""

LOOK_AT_ONCE_MS = 10.0
"""Below it, no deliberate pause stands between the signal and the look."""


def _short(argv: str) -> str:
    line = " ".join(argv.split())
    return line if len(line) <= LONGEST_ARGV else line[: LONGEST_ARGV - 1] + "…"


def delay_stressor(delay: Delay) -> str:
    """Return it as it is written for `--stress`."""
    return f"delay:{delay.event}:{show_milliseconds(round(delay.ms, 3))}@{delay.who}"


def search(attempt: Attempt) -> Plan | None:
    """Return the plan that makes the test fail every time, or None when no single delay does, or time is up.

    The first failure is to come soon, so one trial that passes is enough to begin with; whether the test fails by
    itself, too, is asked afterwards.
    """
    controls: list[tuple[TrialOutcome, TrialReport]] = []
    _run_controls(attempt, controls, until_passed=True)
    recorded = _richest(controls)
    climbed = None if recorded is None else _climb(attempt, list(candidates(recorded.processes)), LADDER_MS)
    by_itself = _run_plain(attempt)
    _run_controls(attempt, controls, until_passed=False)
    richest = _richest(controls)
    if richest is None:
        return None  # what fails without any delay cannot be told by one
    if climbed is None and (recorded is None or _richness(richest) > _richness(recorded)):
        recorded = richest
        climbed = _climb(attempt, list(candidates(richest.processes)), LADDER_MS)
    if climbed is None or recorded is None:
        return None
    found = _most_sensitive(attempt, climbed, list(candidates(recorded.processes)))
    by_itself += sum(outcome is TrialOutcome.FAILED for outcome, _ in controls)
    critical = found.critical_ms
    process = _as_in(richest, found.process)
    return Plan(
        process,
        found.event,
        float(math.ceil(min(max(critical * MARGIN, critical + MARGIN_MS), LADDER_MS[-1]))),
        critical,
        by_itself,
        first_victim(richest),
        is_victim=_was_signalled(process, richest.duration_s * 1000),
        waits=_waits(found.passed, [_wait_ms(report, process.index) for _, report in controls]),
    )


def _run_plain(attempt: Attempt) -> int:
    """Return how many trials without a tracer failed, as far as there is time for them."""
    failures = 0
    for _ in range(PLAIN_TRIALS):
        result = attempt("plain", "none")
        if result is None:
            break
        failures += result[0] is TrialOutcome.FAILED
        if result[1] is not None and result[1].duration_s > VERY_SLOW_S:
            break
    return failures


def _run_controls(attempt: Attempt, controls: list[tuple[TrialOutcome, TrialReport]], *, until_passed: bool) -> None:
    """Add trials under the tracer without a delay, until there are enough, one has passed, or time is up."""
    while len(controls) < CONTROL_TRIALS:
        if until_passed and any(outcome is not TrialOutcome.FAILED for outcome, _ in controls):
            break
        if len(controls) > 1 and controls[-1][1].duration_s > VERY_SLOW_S:
            break
        result = attempt("control", "control")
        if result is None or result[1] is None:
            break  # a trial that broke is no record, and the next one would hardly be
        controls.append((result[0], result[1]))


def _richest(controls: Sequence[tuple[TrialOutcome, TrialReport]]) -> TrialReport | None:
    """Return the record with the most processes; None where all trials failed.

    A trial that failed early never started all of them, or signalled some before their exec.
    """
    if all(outcome is TrialOutcome.FAILED for outcome, _ in controls):
        return None
    return max((report for _, report in controls), key=_richness)


def _as_in(richest: TrialReport, process: ProcessRecord) -> ProcessRecord:
    """Return what the richest record has of `process`: in another it may have been killed before its exec."""
    alike = (other for other in richest.processes if (other.index, other.depth) == (process.index, process.depth))
    return next(alike, process)


@dataclass(frozen=True, slots=True)
class _Climbed:
    """A process and an event whose delay makes the test fail every time: one of `high_ms`, but not one of `low_ms`."""

    process: ProcessRecord
    event: str
    low_ms: float
    high_ms: float


@dataclass(frozen=True, slots=True)
class _Found:
    """The smallest delay of an event that makes the test fail, and what the way to it showed."""

    process: ProcessRecord
    event: str
    critical_ms: float
    passed: list[tuple[float, float | None]]
    """(delay in ms, what `_wait_ms` says) of each trial that passed with a delay of this event."""


def _most_sensitive(attempt: Attempt, climbed: _Climbed, ordered: Sequence[tuple[ProcessRecord, str]]) -> _Found:
    """Return the process and event that needs the smallest delay, as far as there is time to tell.

    The first rung is high, so one that comes later in `ordered` may need much less than the first that failed there:
    who fails with a fraction of its critical delay, while the first mostly passes with that, is the one. On a busy
    machine both may fail, then the likelier stays. Those that came before it passed on the rung.
    """
    found = _bisect(attempt, climbed)
    for process, event in ordered[ordered.index((climbed.process, climbed.event)) + 1 :]:
        less_ms = found.critical_ms / FRACTION
        if less_ms < LOOK_AT_ONCE_MS:
            break
        failures = _streak(attempt, Delay(event, less_ms, process.index), 1 + CONFIRMATIONS)
        if failures is None:
            break
        if failures == 1 + CONFIRMATIONS:
            first = Delay(found.event, less_ms, found.process.index)
            if _majority_fails(attempt, first) is False:
                found = _bisect(attempt, _Climbed(process, event, 0.0, less_ms))
    return found


def _climb(attempt: Attempt, ordered: Sequence[tuple[ProcessRecord, str]], rungs: Sequence[float]) -> _Climbed | None:
    """Return what fails every time on the lowest rung where something does; None for nothing, or no time.

    All are tried on a rung before the next one. On a busy machine the look itself comes late, and the right one may
    fail first and pass later; or another fails by accident. So, after a failure that does not last, it and all that are
    likelier are tried one rung higher before those that are less likely.
    """
    tried: set[tuple[int, str, float]] = set()
    for low, rung, above in zip((0.0, *rungs), rungs, (*rungs[1:], 0.0), strict=False):
        for number, (process, event) in enumerate(ordered):
            failures = _streak(attempt, Delay(event, rung, process.index), 1 + CONFIRMATIONS)
            if failures is None:
                return None
            if failures == 1 + CONFIRMATIONS:
                return _Climbed(process, event, low, rung)
            for likelier, its_event in ordered[: number + 1] if failures and above else ():
                again = (likelier.index, its_event, above)
                if again in tried:
                    continue
                tried.add(again)
                failures = _streak(attempt, Delay(its_event, above, likelier.index), 1 + CONFIRMATIONS)
                if failures is None:
                    return None
                if failures == 1 + CONFIRMATIONS:
                    return _Climbed(likelier, its_event, low, above)
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


def _richness(report: TrialReport) -> tuple[int, int]:
    return len(report.processes), sum(process.exec_at_ms is not None for process in report.processes)


def _was_signalled(process: ProcessRecord, end_ms: float = math.inf) -> bool:
    return process.takes_signals or any(name not in HARMLESS and at < end_ms for name, at, _ in process.signals)


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


def _wait_ms(report: TrialReport, index: int, late_ms: float = 0.0) -> float | None:
    """Return how long after process `index` would have ended, had it not been held, the test ended; None if it did not.

    The start of the test, which is most of a trial, is not in it: on a busy machine it differs by more than a delay.
    """
    ended = next((process.ended_at_ms for process in report.processes if process.index == index), None)
    return None if ended is None else report.duration_s * 1000 - (ended - late_ms)


def _waits(passed: Sequence[tuple[float, float | None]], without: Sequence[float | None]) -> bool:
    """Whether the ends of trials that passed with a delay (in ms, `_wait_ms`) came later by it, or as without.

    The nearer of the two in the sum of absolute differences (least absolute deviations): one trial of a busy machine
    that ends much later by itself counts for no more than its delay.
    """
    known = [wait for wait in without if wait is not None]
    long = [(delay, wait) for delay, wait in passed if wait is not None and delay >= LEAST_WAIT_MS / 2]
    if not known or max(long, default=(0.0, 0.0))[0] < LEAST_WAIT_MS:
        return False
    usual = statistics.median(known)
    return sum(abs(wait - usual - delay) for delay, wait in long) < sum(abs(wait - usual) for _, wait in long)


def _majority_fails(
    attempt: Attempt, delay: Delay, passed: list[tuple[float, float | None]] | None = None
) -> bool | None:
    """Return whether it fails more often than not, since one late look must not decide; None when time is up.

    The delay in ms of each trial that passed, and what `_wait_ms` says of it, are added to `passed`.
    """
    late_ms = delay.ms if delay.event == "exit" else 0.0
    failures = passes = 0
    while max(failures, passes) <= BISECT_TRIALS // 2:
        result = attempt("search", delay_stressor(delay))
        if result is None:
            return None
        failures += result[0] is TrialOutcome.FAILED
        passes += result[0] is not TrialOutcome.FAILED
        if passed is not None and result[0] is TrialOutcome.PASSED and result[1] is not None:
            passed.append((delay.ms, _wait_ms(result[1], int(delay.who or 0), late_ms)))
    return failures > passes


def _bisect(attempt: Attempt, climbed: _Climbed) -> _Found:
    """Return the smallest delay that still fails more often than not."""
    passed: list[tuple[float, float | None]] = []

    def fails(middle_ms: float) -> bool | None:
        return _majority_fails(attempt, Delay(climbed.event, middle_ms, climbed.process.index), passed)

    critical_ms = bisect(fails, climbed.low_ms, climbed.high_ms)
    return _Found(climbed.process, climbed.event, critical_ms, passed)


def bisect(fails: Callable[[float], bool | None], low_ms: float, high_ms: float) -> float:
    """Return, to a fifth or 1 ms, the smallest delay at which `fails`; None from it ends the search early."""
    while high_ms - low_ms > max(1.0, high_ms / 5):
        middle_ms = math.sqrt(low_ms * high_ms) if low_ms > 0 else high_ms / 2
        failed = fails(middle_ms)
        if failed is None:
            break
        low_ms, high_ms = (low_ms, middle_ms) if failed else (middle_ms, high_ms)
    return high_ms
