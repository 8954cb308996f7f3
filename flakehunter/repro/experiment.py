"""One experiment: search for the plan, check every fix under it, interleave the arms until the answer is certain."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter.model import Mechanism, ReproVerdict, TrialOutcome
from flakehunter.repro.bench import Arm, Bench, Progress, Recorder, start_nurseries, trial_spec
from flakehunter.repro.command import Command
from flakehunter.repro.deadline import DEADLINE_TRIALS, Deadline, recommend, time_to_death
from flakehunter.repro.fixcheck import FixCheck, check_fix, counterpart
from flakehunter.repro.rooms import here
from flakehunter.repro.schedule import Rules, decide, is_certain, next_arm
from flakehunter.repro.search import Plan, delay_stressor, first_victim, search
from flakehunter.repro.stressors import Stress, parse_stress
from flakehunter.repro.trial import Delay, ProcessRecord, TrialError, TrialReport, TrialSpec

if TYPE_CHECKING:
    from flakehunter.fanout import Pool

FLAWED = "flawed"
FIXED = "fixed"
FALLBACK = "cpu"
"""The stress where no single delay does it."""

SEARCH_BUDGET_S = 60.0
SEARCH_ARMS = {"plain": "none", "control": "control", "search": "delay"}
"""Names of the search's arms, and the stressor that is shown for each."""

LATE, TAIL = "late", "time-to-death"
"""Names of the arms that look for a fix's critical delay, and for the tail of the time to death."""

SURVIVE_MS = 1000.0
MOST_WARNINGS = 10
"""Of supervisors, in the notes."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A way to run the test that is said not to flake."""

    name: str
    command: Command
    group_kill: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What to find out."""

    flawed: Command
    fixes: tuple[Fix, ...]
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
    group_kill: str = ""
    """Backend of the flawed arm, where backends are compared."""
    survive_ms: float = SURVIVE_MS
    """A fix has to hold with the event so late."""
    parallel: int = 1
    """Trials side by side, under stressors that need no CPU."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an experiment found."""

    verdict: ReproVerdict
    arms: tuple[Arm, ...]
    """The flawed arm, the fixes in their order, and the arms of the search."""
    rules: Rules
    elapsed_s: float
    warm: bool
    reason: str = ""
    """Why it is undecided."""
    notes: tuple[str, ...] = ()
    mechanism: Mechanism | None = None
    plan: Plan | None = None
    verdicts: tuple[ReproVerdict, ...] = ()
    """Of each fix."""
    checks: tuple[FixCheck | None, ...] = ()
    """Of each fix: how late the event may be with it; None where there is no plan, or no time was left."""
    deadline: Deadline | None = None

    @property
    def fixes(self) -> tuple[Arm, ...]:
        """Return the arms of the fixes."""
        return self.arms[1 : 1 + len(self.verdicts)]


def run_experiment(
    request: Request, folder: Path, recorder: Recorder, progress: Progress, pool: "Pool | None" = None
) -> Outcome:
    """Run trials until the verdict is certain, or trials or time are used up.

    Args:
        request: the arms and the rules.
        folder: an empty folder for the trials' output, see `Workspace`.
        recorder: is given each trial.
        progress: is told the arms and the seconds gone by after each trial.
        pool: the fleet whose workers run the trials; None for this machine.

    Raises:
        TrialError: the process that forks the trials cannot be kept alive.
    """
    arms = [Arm(FLAWED, request.flawed, "", request.group_kill)]
    arms += [Arm(fix.name, fix.command, "", fix.group_kill) for fix in request.fixes]
    bench = Bench(folder, recorder, progress, time_limit_s=request.time_limit_s, budget_s=request.budget_s)
    notes: list[str] = []
    with ExitStack() as stack:
        if pool is not None:
            from flakehunter.repro.fleet import FleetBench

            bench = FleetBench(bench, pool)
        else:
            bench.nurseries, notes = start_nurseries(
                [arm.command for arm in arms], folder, stack, warm=request.warm, time_limit_s=request.time_limit_s
            )
        run = _Run(request, bench, arms, notes)
        reason = run.all()
        notes += [f"{warning} ({times} trials)" for warning, times in list(bench.warnings.items())[:MOST_WARNINGS]]
        warm = bool(bench.nurseries) and all(nursery.warm for nursery in bench.nurseries.values())
    return Outcome(
        verdict=_overall(run.verdicts()),
        arms=(*arms, *(arm for arm in bench.arms if arm not in arms)),
        rules=request.rules,
        elapsed_s=bench.elapsed_s,
        warm=warm,
        reason=reason or _why_undecided(arms),
        notes=tuple(notes),
        mechanism=_mechanism(run.plan, request.mechanism),
        plan=run.plan,
        verdicts=tuple(run.verdicts()) if request.fixes else (),
        checks=tuple(run.checks),
        deadline=run.deadline,
    )


def _mechanism(plan: Plan | None, suspected: Mechanism | None) -> Mechanism | None:
    """Return what `detect` suspects where the plan allows it, since it has seen messages; else what the plan says."""
    if plan is None or (suspected is not None and plan.may_be(suspected)):
        return suspected
    return plan.mechanism


def _overall(verdicts: Sequence[ReproVerdict]) -> ReproVerdict:
    """Return the best of the fixes' verdicts: who compares backends asks whether one of them holds."""
    order = (
        ReproVerdict.FIX_VERIFIED,
        ReproVerdict.FIX_INSUFFICIENT,
        ReproVerdict.UNDECIDED,
        ReproVerdict.REPRODUCED,
        ReproVerdict.NOT_REPRODUCED,
    )
    return min(verdicts, key=order.index)


def _why_undecided(arms: Sequence[Arm]) -> str:
    for arm in arms:
        if arm.tally.trouble:
            return f"the last {arm.tally.trouble} trials of {arm.name} said nothing of the test: {arm.trouble}"
    return "the trials are used up"


class _Run:
    """The steps of one experiment; `arms` are the flawed one and the fixes."""

    def __init__(self, request: Request, bench: Bench, arms: list[Arm], notes: list[str]) -> None:
        self.request = request
        self.bench = bench
        self.arms = arms
        self.notes = notes
        self.plan: Plan | None = None
        self.deadline: Deadline | None = None
        self.checks: list[FixCheck | None] = [None for _ in arms[1:]]

    def all(self) -> str:
        """Run all of it; return why it ended before the answer was certain, or nothing."""
        stress = self.request.stress
        if stress is None:
            self.plan, control = self._search()
            always = control.tally.failures > 0 and control.tally.passes == 0
            stress = parse_stress(self.plan.stressor if self.plan else "none" if always else FALLBACK)
            if always:
                self.notes.append("it fails without any delay, so none was looked for")
            elif self.plan is None:
                self.notes.append(f"no single delay makes it fail every time; tried under {stress.spec} instead")
        stresses = [stress for _ in self.arms]
        if self.plan is not None:
            self._measure_deadline(self.plan)
            for place, arm in enumerate(self.arms[1:]):
                who, self.checks[place] = self._check(self.plan, arm)
                if who is not None:
                    stresses[place + 1] = parse_stress(replace(self.plan, process=who).stressor)
        elif _has_loads(stress):
            self._find_windows()
        for arm, own in zip(self.arms, stresses, strict=True):
            arm.stressor = own.spec
        self.bench.arms += self.arms
        return self._compare(stresses)

    # --- the steps ---------------------------------------------------------------------------------------------

    def _search(self) -> tuple[Plan | None, Arm]:
        """Look for the one delay that makes the test fail; its trials are arms of their own, `control` comes along."""
        by_name = {name: Arm(name, self.request.flawed, stressor) for name, stressor in SEARCH_ARMS.items()}
        self.bench.arms = list(by_name.values())

        def attempt(name: str, spec: str) -> tuple[TrialOutcome, TrialReport | None] | None:
            if self.bench.elapsed_s >= min(SEARCH_BUDGET_S, self.request.budget_s):
                return None
            result = self.bench.trial(by_name[name], parse_stress(spec))
            return result.judgement.outcome, result.report

        return search(attempt), by_name["control"]

    def _measure_deadline(self, plan: Plan) -> None:
        stress = parse_stress(f"control+{FALLBACK}")
        arm = Arm(TAIL, self.request.flawed, stress.spec, window_from=plan.first_victim)
        times = []
        for _ in range(DEADLINE_TRIALS if plan.first_victim else 0):
            if self.bench.is_over:
                break
            report = self.bench.trial(arm, stress).report
            times += [] if report is None else time_to_death(report)
        if arm.tally.trials:
            self.bench.arms.append(arm)
        self.deadline = recommend(times, under=stress.spec)

    def _check(self, plan: Plan, fixed: Arm) -> tuple[ProcessRecord | None, FixCheck | None]:
        arm = Arm(LATE if len(self.arms) == 2 else f"{LATE} {fixed.name}", fixed.command, "delay", fixed.group_kill)
        self.bench.arms.append(arm)
        report = self.bench.trial(arm, parse_stress("control")).report
        who = None if report is None else counterpart(plan.process, report.processes)
        if who is None:
            self.notes.append(f"with {fixed.name} no process is like process {plan.process.index}: none is held late")
            return None, None

        def fails(delay_ms: float, trials: int, enough: int) -> bool | None:
            stress = parse_stress(delay_stressor(Delay(plan.event, delay_ms, who.index)))
            failures, left = 0, trials
            while left and failures < enough:
                if self.bench.is_over:
                    return None
                results = self.bench.trials(arm, stress, min(self.bench.side_by_side(self.request.parallel), left))
                bad = (TrialOutcome.FAILED, TrialOutcome.HUNG)
                failures += sum(result.judgement.outcome in bad for result in results)
                left -= len(results)
            return failures >= enough

        return who, check_fix(fails, before_ms=plan.critical_delay_ms, required_ms=self.request.survive_ms)

    def _find_windows(self) -> None:
        """Learn in a rehearsal, not counted, from which process on the loads matter; all arms have one, or none."""
        if not self.bench.nurseries:
            return  # a fleet: what happens on one of its machines says little of the others
        if any(nursery.warm for nursery in self.bench.nurseries.values()) or not here.can("control").usable:
            return
        control = parse_stress("control")
        windows = []
        for arm in self.arms:
            nursery = self.bench.nurseries[id(arm.command)]
            spec = trial_spec(arm.command, self.bench.folder / "0", self.request.time_limit_s, warm=False)
            try:
                windows.append(first_victim(nursery.run(control.apply(spec))))
            except TrialError:
                return  # the first counted trial will tell
        if all(windows):
            for arm, window in zip(self.arms, windows, strict=True):
                arm.window_from = window
            self.notes.append(
                f"the load runs from the birth of the first process that is signalled (process {windows[0]}) "
                "to the end of all that came after it"
            )

    def _compare(self, stresses: Sequence[Stress]) -> str:
        """Run trials of the arms in turn until every answer is certain."""
        flawed, rules = self.arms[0], self.request.rules
        turn = 0
        while True:
            choices = [
                (place, choice)
                for place in range(max(1, len(self.arms) - 1))
                if (choice := self._next(place, rules)) is not None
            ]
            if not choices:
                return ""
            if self.bench.is_over:
                return f"the budget of {self.bench.budget_s:g} s is used up"
            place, choice = choices[turn % len(choices)]
            turn += 1
            certain = is_certain(flawed.tally, rules)
            if choice == 0 and certain:
                flawed.tally.sentinels += 1
            chosen = 0 if choice == 0 else place + 1
            parallel = self.request.parallel if chosen and certain and stresses[chosen].keeps_cpus_free else 1
            side_by_side = self.bench.side_by_side(parallel)
            count = max(1, min(side_by_side, rules.most_trials - self.arms[chosen].tally.trials))
            self.bench.trials(self.arms[chosen], stresses[chosen], count)

    def _next(self, place: int, rules: Rules) -> int | None:
        if len(self.arms) == 1:
            return next_arm(self.arms[0].tally, None, rules)
        check = self.checks[place]
        if check is not None and not check.holds and self.arms[0].tally.failures >= 2:
            return None  # it fails with the event as late as it has to stand
        return next_arm(self.arms[0].tally, self.arms[place + 1].tally, rules)

    # --- the end -----------------------------------------------------------------------------------------------

    def verdicts(self) -> list[ReproVerdict]:
        """Return the verdict of each fix, or the one of the flawed arm without any."""
        if len(self.arms) == 1:
            return [self._verdict(None, None)]
        return [self._verdict(arm, check) for arm, check in zip(self.arms[1:], self.checks, strict=True)]

    def _verdict(self, fixed: Arm | None, check: FixCheck | None) -> ReproVerdict:
        flawed = self.arms[0].tally
        verdict = decide(flawed, None if fixed is None else fixed.tally, self.request.rules)
        if check is not None and not check.holds and flawed.failures >= 2:
            return ReproVerdict.FIX_INSUFFICIENT
        if verdict is not None:
            return verdict
        # Time is up: what was seen stays true, what was not seen stays open.
        return ReproVerdict.REPRODUCED if flawed.failures > 0 and fixed is None else ReproVerdict.UNDECIDED


def _has_loads(stress: Stress) -> bool:
    bare = TrialSpec(argv=(), cwd="", env={}, output="", time_limit_s=1.0)
    return bool(stress.apply(bare).loads)
