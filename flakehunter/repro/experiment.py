"""One experiment: its arms under one stress, interleaved until the answer is certain, every trial recorded."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from flakehunter.model import Mechanism, ReproVerdict, TrialOutcome
from flakehunter.repro.command import JUNIT, Command
from flakehunter.repro.nurseries import Nursery, start_nursery, start_warm_nursery
from flakehunter.repro.outcome import Judgement, judge
from flakehunter.repro.schedule import Rules, Tally, decide, is_certain, next_arm
from flakehunter.repro.search import Plan, search
from flakehunter.repro.stressors import Stress, parse_stress
from flakehunter.repro.trial import TrialError, TrialReport, TrialSpec, output_tail

FLAWED = "flawed"
FIXED = "fixed"
FALLBACK = "cpu"
"""The stress where no single delay does it."""

SEARCH_BUDGET_S = 60.0
SEARCH_ARMS = {"plain": "none", "control": "control", "search": "delay"}
"""Names of the search's arms, and the stressor that is shown for each."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to find out."""

    flawed: Command
    fixed: Command | None
    stress: Stress | None
    """None to search for the plan that makes it fail."""
    rules: Rules
    time_limit_s: float = 60.0
    """Of one trial."""
    budget_s: float = 600.0
    """Of the whole experiment; no trial starts after it."""
    warm: bool = True
    """Whether a pytest may be forked when it is ready to collect, instead of started anew for each trial."""
    mechanism: Mechanism | None = None


@dataclass(slots=True)
class Arm:
    """A command under a stress, and what its trials said."""

    name: str
    command: Command
    stressor: str
    group_kill: str = ""
    tally: Tally = field(default_factory=Tally)
    messages: dict[str, int] = field(default_factory=dict)
    """How often each message of a failed trial came, with N for numbers."""
    left_behind: int = 0
    """Trials whose command left processes alive, which the supervisor ended."""
    trouble: str = ""
    """Message and output of the last trial that said nothing of the test."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial, as it is recorded."""

    arm: Arm
    ordinal: int
    judgement: Judgement
    report: TrialReport | None
    duration_s: float
    stressor: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an experiment found."""

    verdict: ReproVerdict
    arms: tuple[Arm, ...]
    rules: Rules
    elapsed_s: float
    warm: bool
    reason: str = ""
    """Why it is undecided."""
    notes: tuple[str, ...] = ()
    mechanism: Mechanism | None = None
    plan: Plan | None = None


class Recorder(Protocol):
    """Where trials are written down as they happen."""

    def trial(self, result: TrialResult) -> None:
        """Keep one trial."""
        ...


def run_experiment(
    request: Request, folder: Path, recorder: Recorder, progress: Callable[[Sequence[Arm], float], None]
) -> Outcome:
    """Run trials until the verdict is certain, or trials or time are used up.

    Args:
        request: the arms and the rules.
        folder: an empty folder for the trials' output, see `Workspace`.
        recorder: is given each trial.
        progress: is told the arms and the seconds gone by after each trial.

    Raises:
        TrialError: the process that forks the trials cannot be kept alive.
    """
    arms = [Arm(FLAWED, request.flawed, "")]
    if request.fixed is not None:
        arms.append(Arm(FIXED, request.fixed, ""))
    begin = time.monotonic()
    with ExitStack() as stack:
        nurseries, notes = _start_nurseries(arms, request, folder, stack)
        bench = Bench(request, folder, recorder, progress, begin)
        plan, stress = None, request.stress
        if stress is None:
            plan = bench.search(request.flawed, nurseries[0])
            stress = parse_stress(FALLBACK if plan is None else plan.stressor)
            if plan is None:
                notes.append(f"no single delay makes it fail every time; tried under {stress.spec} instead")
        for arm in arms:
            arm.stressor = stress.spec
        bench.arms += arms
        reason = bench.run(arms, nurseries, stress)
    flawed, fixed = arms[0].tally, arms[1].tally if len(arms) > 1 else None
    verdict = decide(flawed, fixed, request.rules)
    if verdict is None:
        # Time is up: what was seen stays true, what was not seen stays open.
        found = flawed.failures > 0 and fixed is None
        verdict = ReproVerdict.REPRODUCED if found else ReproVerdict.UNDECIDED
    return Outcome(
        verdict=verdict,
        arms=(*arms, *(arm for arm in bench.arms if arm.name in SEARCH_ARMS)),
        rules=request.rules,
        elapsed_s=time.monotonic() - begin,
        warm=all(nursery.warm for nursery in nurseries),
        reason=reason or _why_undecided(arms),
        notes=tuple(notes),
        mechanism=request.mechanism if plan is None else plan.mechanism,
        plan=plan,
    )


def _why_undecided(arms: Sequence[Arm]) -> str:
    for arm in arms:
        if arm.tally.trouble:
            return f"the last {arm.tally.trouble} trials of {arm.name} said nothing of the test: {arm.trouble}"
    return "the trials are used up"


class Bench:
    """Runs the trials of one experiment one after the other, and has each counted, recorded and shown."""

    def __init__(
        self,
        request: Request,
        folder: Path,
        recorder: Recorder,
        progress: Callable[[Sequence[Arm], float], None],
        begin: float,
    ) -> None:
        self.request = request
        self.folder = folder
        self.recorder = recorder
        self.progress = progress
        self.begin = begin
        self.arms: list[Arm] = []
        self._ordinal = 0

    def _elapsed(self) -> float:
        return time.monotonic() - self.begin

    def trial(self, arm: Arm, nursery: Nursery, stress: Stress) -> TrialResult:
        """Run one trial of `arm`."""
        self._ordinal += 1
        # The whole time limit, even over the budget: a trial cut short would look like a hang of the test.
        spec = stress.apply(_spec(arm.command, self.folder, self.request.time_limit_s, warm=nursery.warm))
        result = _count(arm, self._ordinal, *_run(nursery, arm.command, spec))
        self.recorder.trial(replace(result, stressor=stress.spec))
        self.progress(self.arms, self._elapsed())
        return result

    def search(self, command: Command, nursery: Nursery) -> Plan | None:
        """Look for the one delay that makes the test fail; its trials are arms of their own."""
        by_name = {name: Arm(name, command, stressor) for name, stressor in SEARCH_ARMS.items()}
        self.arms = list(by_name.values())

        def attempt(name: str, spec: str) -> tuple[TrialOutcome, TrialReport | None] | None:
            if self._elapsed() >= min(SEARCH_BUDGET_S, self.request.budget_s):
                return None
            result = self.trial(by_name[name], nursery, parse_stress(spec))
            return result.judgement.outcome, result.report

        return search(attempt)

    def run(self, arms: Sequence[Arm], nurseries: Sequence[Nursery], stress: Stress) -> str:
        """Run trials of the arms in turn until the answer is certain; return why it ended before, or nothing."""
        rules = self.request.rules
        flawed, fixed = arms[0].tally, arms[1].tally if len(arms) > 1 else None
        while (choice := next_arm(flawed, fixed, rules)) is not None:
            if self._elapsed() >= self.request.budget_s:
                return f"the budget of {self.request.budget_s:g} s is used up"
            if choice == 0 and is_certain(flawed, rules):
                flawed.sentinels += 1
            self.trial(arms[choice], nurseries[choice], stress)
        return ""


def _spec(command: Command, folder: Path, limit_s: float, *, warm: bool) -> TrialSpec:
    junit = folder / "junit.xml"
    return TrialSpec(
        argv=command.words(junit),
        cwd=str(command.cwd),
        env=command.environment(),
        output=str(folder / "output.txt"),
        time_limit_s=limit_s,
        junit=str(junit) if warm else None,
        has_window=warm,
    )


def _junit_of(command: Command, spec: TrialSpec) -> Path | None:
    if spec.junit is not None:
        return Path(spec.junit)
    if any(JUNIT in word for word in command.argv):
        return Path(spec.output).with_name("junit.xml")
    return command.junit


def _run(nursery: Nursery, command: Command, spec: TrialSpec) -> tuple[Judgement, TrialReport | None, float, str]:
    junit = _junit_of(command, spec)
    if junit is not None:
        junit.unlink(missing_ok=True)  # else the last trial's report would be taken for this one's
    begin = time.monotonic()
    try:
        report = nursery.run(spec)
    except TrialError as error:
        return Judgement(TrialOutcome.ERRORED, error.message), None, time.monotonic() - begin, ""
    judgement = judge(
        report, junit=junit, test=command.test, is_pytest=command.is_pytest, time_limit_s=spec.time_limit_s
    )
    return judgement, report, time.monotonic() - begin, spec.output


def _count(
    arm: Arm, ordinal: int, judgement: Judgement, report: TrialReport | None, duration_s: float, output: str
) -> TrialResult:
    arm.tally.add(judgement.outcome)
    if judgement.outcome is TrialOutcome.FAILED:
        # Pids, ports and times differ from trial to trial in what is one message.
        message = re.sub(r"\d+", "N", judgement.message)
        arm.messages[message] = arm.messages.get(message, 0) + 1
    elif judgement.outcome is not TrialOutcome.PASSED:
        tail = output_tail(output) if output else ""
        arm.trouble = judgement.message + (f"\n{tail}" if tail else "")
    if report is not None and report.survivors:
        arm.left_behind += 1
    return TrialResult(arm, ordinal, judgement, report, duration_s if report is None else report.duration_s)


def _start_nurseries(
    arms: Sequence[Arm], request: Request, folder: Path, stack: ExitStack
) -> tuple[list[Nursery], list[str]]:
    """Start a warm nursery for each arm, or one cold nursery for all: arms that differ in that cannot be compared."""
    notes: list[str] = []
    if request.warm and all(arm.command.is_pytest for arm in arms):
        warm: list[Nursery] = []
        try:
            for arm in arms:
                warm.append(_start_warm(arm.command, request, folder))
        except BaseException as error:
            for nursery in warm:
                nursery.close()
            if not isinstance(error, TrialError):
                raise
            notes.append(f"pytest is started anew for each trial: {error.message}")
        else:
            for nursery in warm:
                stack.enter_context(nursery)
            return warm, notes
    cold = stack.enter_context(start_nursery())
    return [cold] * len(arms), notes


def _start_warm(command: Command, request: Request, folder: Path) -> Nursery:
    junit = folder / "junit.xml"
    modules = folder / "modules.txt"
    nursery = start_warm_nursery(command.words(junit), command.environment(), command.cwd)
    try:
        # A rehearsal, not counted: it shows which libraries a trial imports, so that no later one pays for them.
        spec = _spec(command, folder, request.time_limit_s, warm=True)
        nursery.run(TrialSpec(**{name: getattr(spec, name) for name in spec.__slots__} | {"modules": str(modules)}))
        if modules.is_file():
            nursery.preload(modules)
    except BaseException:
        nursery.close()
        raise
    return nursery
