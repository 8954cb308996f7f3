"""Start trials on Windows: there is nothing to fork from, so each one is started by the harness itself."""

import sys

assert sys.platform == "win32"

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from flakehunter.repro.trial import TrialError, TrialReport, TrialSpec
from flakehunter.repro.windows.loads import KINDS
from flakehunter.repro.windows.trial import JobTrial

__all__ = ["JobNursery", "start_nursery"]


class JobNursery:
    """Starts trials, each in a Job Object of its own, which ends with it and with the harness, however that dies."""

    warm = False

    def __init__(self) -> None:
        self._trials: list[JobTrial] = []
        self._cpu_s = 0.0

    def run(self, spec: TrialSpec) -> TrialReport:
        """Run one trial.

        Raises:
            TrialError: it cannot be started, or broke.
        """
        return self.start(spec).finish()

    def start(self, spec: TrialSpec) -> JobTrial:
        """Start a trial, which others may run beside.

        Raises:
            TrialError: the stressor asks for what cannot be done here.
        """
        _refuse(spec)
        self._collect()
        trial = JobTrial(spec)
        self._trials.append(trial)
        return trial

    def _collect(self) -> None:
        self._cpu_s += sum(trial.cpu_s for trial in self._trials if trial.is_over)
        self._trials = [trial for trial in self._trials if not trial.is_over]

    @property
    def cpu_s(self) -> float:
        """Return the CPU time that all trials that have ended used up."""
        self._collect()
        return self._cpu_s

    def preload(self, _modules: Path) -> NoReturn:
        """Refuse: nothing is forked here."""
        raise TrialError("no trial is forked on Windows")

    def close(self) -> None:
        """End the trials that still run."""
        for trial in self._trials:
            trial.close()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.close()


def start_nursery(_variables: Mapping[str, str] | None = None) -> JobNursery:
    """Return what starts the trials of any command."""
    return JobNursery()


def _refuse(spec: TrialSpec) -> None:
    """Refuse what a team's own stressor may ask for; ours say themselves that they do not work here."""
    asked = {
        "a tracer": spec.trace or bool(spec.delays),
        "a quota": spec.quota_percent is not None,
        "other priorities": spec.demote,
        "late reaping": spec.reap_delay_ms is not None,
        "loads that wait": spec.window_from > 0,
    }
    asked |= {f"a load of kind {load.kind}": True for load in spec.loads if load.kind not in KINDS}
    for what, is_asked in asked.items():
        if is_asked:
            raise TrialError(f"the stressor asks for {what}, which a trial on Windows cannot have")
