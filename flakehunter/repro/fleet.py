"""Trials on the machines of a fleet: one at a time on each, counted together."""

import socket
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from flakehunter.errors import CommandError
from flakehunter.fanout import Outcome, Pool, WorkerDiedError
from flakehunter.model import TrialOutcome
from flakehunter.repro.bench import Arm, Bench, Finished, run_trials, start_nurseries, trial_spec
from flakehunter.repro.command import Command
from flakehunter.repro.outcome import Judgement
from flakehunter.repro.stressors import Stress, parse_stress

REPRO = {"REPRO": 1.0}
"""What a worker must have to run trials; with one of it on each host, no trial disturbs another."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a worker has to know of a trial."""

    command: Command
    stressor: str
    time_limit_s: float
    window_from: int

    @property
    def name(self) -> str:
        """Return what the trial is called in an error."""
        return f"a trial of {self.command.shown}"


class FleetBench(Bench):
    """Runs the trials of an experiment on the workers of a fleet that have the resource REPRO.

    Each starts its command anew: a pytest that is ready to be forked would have to stay on the worker after the trial.
    The command and its folder have to be there on every host, under the same path.
    """

    def __init__(self, bench: Bench, pool: Pool) -> None:
        """Take folder, recorder and limits from `bench`, which has not run a trial yet."""
        super().__init__(
            bench.folder, bench.recorder, bench.progress, time_limit_s=bench.time_limit_s, budget_s=bench.budget_s
        )
        self._pool = pool

    def side_by_side(self, parallel: int) -> int:
        """Return how many hosts there are."""
        return self._pool.places(REPRO)

    def _run(self, arm: Arm, stress: Stress, count: int) -> Iterable[Finished]:
        trial = Trial(arm.command, stress.spec, self.time_limit_s, arm.window_from)
        outcomes = self._pool.map(run_trial, [trial] * count, name=lambda one: one.name, resources=REPRO)
        return map(_finished, outcomes)


def _finished(outcome: Outcome[Trial, Finished]) -> Finished:
    """Return what a worker reported; a trial that ends every worker says nothing of the test, but that."""
    if isinstance(outcome.error, WorkerDiedError):
        return Finished(Judgement(TrialOutcome.ERRORED, outcome.error.message), None, 0.0, outcome.host)
    return outcome.value


def run_trial(trial: Trial) -> Finished:
    """Run one trial on this machine.

    Raises:
        CommandError: its command or folder is not here.
    """
    command = trial.command
    if not command.cwd.is_dir():
        raise CommandError(
            f"worker on {socket.gethostname()}: there is no folder {command.cwd}",
            argv=command.argv,
            hint="the test project has to lie under the same path on every host of the fleet",
        )
    command.check()
    with tempfile.TemporaryDirectory(prefix="flakehunter-trial-") as name, ExitStack() as stack:
        folder = Path(name)
        nurseries, _ = start_nurseries([command], folder, stack, warm=False, time_limit_s=trial.time_limit_s)
        nursery = nurseries[id(command)]
        spec = trial_spec(command, folder / "0", trial.time_limit_s, warm=False)
        stress = parse_stress(trial.stressor)
        [finished] = run_trials(nursery, command, [stress.apply(replace(spec, window_from=trial.window_from))])
        return finished
