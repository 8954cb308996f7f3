"""The bench: runs the trials of one experiment, and has each counted, recorded and shown."""

import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from flakehunter.model import TrialOutcome
from flakehunter.repro.caretaker import TRIAL_VARIABLE
from flakehunter.repro.command import JUNIT, Command
from flakehunter.repro.outcome import Judgement, judge
from flakehunter.repro.rooms import here
from flakehunter.repro.schedule import Tally
from flakehunter.repro.stressors import Stress
from flakehunter.repro.trial import Nursery, PendingTrial, TrialError, TrialReport, TrialSpec, output_tail

MISSED_TRIALS = 5
"""So often a trial is run again in which a process was gone before it could be held: by chance that is one in 30."""


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
    window_from: int = 0
    """At which process the loads begin, see TrialSpec."""
    by_plan: dict[str, Tally] = field(default_factory=dict)
    """What the trials said under each stress, in the order they were first tried."""
    by_host: dict[str, Tally] = field(default_factory=dict)
    """What the trials said on each machine, in the order in which they were first heard of."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial, as it is recorded."""

    arm: Arm
    ordinal: int
    judgement: Judgement
    report: TrialReport | None
    duration_s: float
    stressor: str = ""
    host: str = ""
    """Name of the machine that it ran on."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial that has run, here or on another machine."""

    judgement: Judgement
    report: TrialReport | None
    wall_s: float
    host: str
    tail: str = ""
    """The last lines of its output, of a trial that said nothing of the test."""
    loads_waited: bool = False
    """Whether its loads were to begin with a process of the trial, see TrialSpec."""


class Recorder(Protocol):
    """Where trials are written down as they happen."""

    def trial(self, result: TrialResult) -> None:
        """Keep one trial."""
        ...


Progress = Callable[[Sequence[Arm], float], None]


class Bench:
    """Runs trials in `folder`, an empty one; `progress` is told the arms and the seconds gone by after each."""

    def __init__(
        self, folder: Path, recorder: Recorder, progress: Progress, *, time_limit_s: float, budget_s: float
    ) -> None:
        self.folder = folder
        self.recorder = recorder
        self.progress = progress
        self.time_limit_s = time_limit_s
        self.budget_s = budget_s
        self.begin_s = time.monotonic()
        self.arms: list[Arm] = []
        self.nurseries: Mapping[int, Nursery] = {}
        """By id of the arm's command."""
        self.warnings: dict[str, int] = {}
        """What supervisors had to say, and how often."""
        self._ordinal = 0

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since the experiment began."""
        return time.monotonic() - self.begin_s

    @property
    def is_over(self) -> bool:
        """Whether the budget is used up."""
        return self.elapsed_s >= self.budget_s

    @property
    def cpu_s(self) -> float:
        """Return the CPU time that the trials, their supervisors and nurseries used up so far."""
        return sum(nursery.cpu_s for nursery in {id(one): one for one in self.nurseries.values()}.values())

    def trial(self, arm: Arm, stress: Stress) -> TrialResult:
        """Run one trial of `arm`."""
        return self.trials(arm, stress, 1)[0]

    def side_by_side(self, parallel: int) -> int:
        """Return how many trials to run at once, where the user and the stressor allow `parallel` on one machine."""
        return parallel

    def trials(self, arm: Arm, stress: Stress, count: int) -> list[TrialResult]:
        """Run `count` trials of `arm` side by side."""
        return [self._note(arm, stress, finished) for finished in self._run(arm, stress, count)]

    def _run(self, arm: Arm, stress: Stress, count: int) -> Iterable[Finished]:
        nursery = self.nurseries[id(arm.command)]
        specs = []
        for slot in range(count):
            # The whole time limit, even over the budget: a trial cut short would look like a hang of the test.
            spec = trial_spec(arm.command, self.folder / str(slot), self.time_limit_s, warm=nursery.warm)
            specs.append(stress.apply(replace(spec, window_from=arm.window_from)))
        return run_trials(nursery, arm.command, specs)

    def _note(self, arm: Arm, stress: Stress, finished: Finished) -> TrialResult:
        self._ordinal += 1
        report = finished.report
        duration_s = finished.wall_s if report is None else report.duration_s
        result = TrialResult(
            arm, self._ordinal, finished.judgement, report, duration_s, stress.spec, host=finished.host
        )
        count(result, finished)
        for warning in () if report is None else report.errors:
            self.warnings[warning] = self.warnings.get(warning, 0) + 1
        self.recorder.trial(result)
        self.progress(self.arms, self.elapsed_s)
        return result


def trial_spec(command: Command, folder: Path, limit_s: float, *, warm: bool) -> TrialSpec:
    """Return a trial of `command` that writes into `folder`, a folder in the experiment's; made where missing."""
    folder.mkdir(exist_ok=True)
    junit = folder / "junit.xml"
    return TrialSpec(
        argv=command.words(junit),
        cwd=str(command.cwd),
        env=command.environment() | {TRIAL_VARIABLE: str(folder.parent)},
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


def run_trials(nursery: Nursery, command: Command, specs: Sequence[TrialSpec]) -> list[Finished]:
    """Run trials of `command` side by side, on this machine; one that missed its delay is run again."""
    host = socket.gethostname()
    found = []
    with ExitStack() as stack:
        begin = time.monotonic()
        running = [_start(nursery, command, spec, stack) for spec in specs]
        for spec, started_or_not in zip(specs, running, strict=True):
            report, judgement = _finish(command, spec, started_or_not)
            for _ in range(MISSED_TRIALS):
                if report is None or not report.delay_missed:
                    break
                report, judgement = _finish(command, spec, _start(nursery, command, spec, stack))
            told = judgement.outcome in (TrialOutcome.PASSED, TrialOutcome.FAILED)
            found.append(
                Finished(
                    judgement,
                    report,
                    time.monotonic() - begin,
                    host,
                    tail="" if told else output_tail(spec.output),
                    loads_waited=bool(spec.loads and spec.window_from),
                )
            )
    return found


def _start(nursery: Nursery, command: Command, spec: TrialSpec, stack: ExitStack) -> PendingTrial | TrialError:
    """Start a trial, which `stack` ends at last."""
    junit = _junit_of(command, spec)
    if junit is not None:
        junit.unlink(missing_ok=True)  # else the last trial's report would be taken for this one's
    try:
        started = nursery.start(spec)
    except TrialError as error:
        return error
    stack.callback(started.close)
    return started


def _finish(
    command: Command, spec: TrialSpec, pending: PendingTrial | TrialError
) -> tuple[TrialReport | None, Judgement]:
    try:
        if isinstance(pending, TrialError):
            raise pending
        report = pending.finish()
    except TrialError as error:
        return None, Judgement(TrialOutcome.ERRORED, error.message)
    if report.delay_missed:
        return report, Judgement(TrialOutcome.ERRORED, "a process was gone before it could be held")
    junit = _junit_of(command, spec)
    judgement = judge(
        report, junit=junit, test=command.test, is_pytest=command.is_pytest, time_limit_s=spec.time_limit_s
    )
    return report, judgement


def count(result: TrialResult, finished: Finished) -> None:
    """Add one trial to the sums of its arm."""
    arm, judgement, report = result.arm, result.judgement, result.report
    arm.tally.add(judgement.outcome)
    arm.by_plan.setdefault(result.stressor, Tally()).add(judgement.outcome)
    arm.by_host.setdefault(result.host, Tally()).add(judgement.outcome)
    if judgement.outcome is TrialOutcome.FAILED:
        # Pids, ports and times differ from trial to trial in what is one message.
        message = re.sub(r"\d+", "N", judgement.message)
        arm.messages[message] = arm.messages.get(message, 0) + 1
    elif judgement.outcome is not TrialOutcome.PASSED:
        arm.trouble = judgement.message + (f"\n{finished.tail}" if finished.tail else "")
    if report is not None and report.survivors:
        arm.left_behind += 1
    if report is not None and finished.loads_waited and not report.window_opened:
        arm.window_from = 0  # it came out differently than in the rehearsal: from now on the loads run all the time


def start_nurseries(
    commands: Sequence[Command], folder: Path, stack: ExitStack, *, warm: bool, time_limit_s: float
) -> tuple[dict[int, Nursery], list[str]]:
    """Start a warm nursery for each command, or one cold nursery for all: what differs in that cannot be compared.

    Returns:
        The nurseries by id of their command, and what to tell the user.
    """
    notes: list[str] = []
    if warm and all(command.is_pytest for command in commands):
        started: list[Nursery] = []
        try:
            for command in commands:
                started.append(_start_warm(command, folder, time_limit_s))
        except BaseException as error:
            for nursery in started:
                nursery.close()
            if not isinstance(error, TrialError):
                raise
            notes.append(f"pytest is started anew for each trial: {error.message}")
        else:
            for nursery in started:
                stack.enter_context(nursery)
            return {id(command): nursery for command, nursery in zip(commands, started, strict=True)}, notes
    cold: Nursery = stack.enter_context(here.start_nursery({TRIAL_VARIABLE: str(folder)}))
    return {id(command): cold for command in commands}, notes


def _start_warm(command: Command, folder: Path, time_limit_s: float) -> Nursery:
    modules = folder / "modules.txt"
    environment = command.environment() | {TRIAL_VARIABLE: str(folder)}
    nursery: Nursery = here.start_warm_nursery(command.words(folder / "0" / "junit.xml"), environment, command.cwd)
    try:
        # A rehearsal, not counted: it shows which libraries a trial imports, so that no later one pays for them.
        nursery.run(replace(trial_spec(command, folder / "0", time_limit_s, warm=True), modules=str(modules)))
        if modules.is_file():
            nursery.preload(modules)
    except BaseException:
        nursery.close()
        raise
    return nursery
