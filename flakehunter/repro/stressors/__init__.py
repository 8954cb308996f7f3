"""Stressors: one file each; `parse_stress` finds them by name, a team's own by entry point."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from flakehunter import plugins
from flakehunter.errors import UsageError
from flakehunter.repro.stressors.base import Capability, Stressor
from flakehunter.repro.trial import TrialSpec

__all__ = ["GROUP", "Capability", "Stress", "Stressor", "find_stressor", "parse_stress", "stressor_names"]

GROUP = "flakehunter.stressors"

BUILT_IN: Mapping[str, str] = {
    "none": "none:NoStress",
    "control": "control:Control",
    "delay": "delay:EventDelay",
    "cpu": "cpu:CpuStress",
    "stress-ng": "stress_ng:StressNg",
    "one-cpu": "one_cpu:OneCpu",
    "quota": "quota:CpuQuota",
    "demote": "demote:Demote",
    "preempt": "preempt:Preempt",
    "reap-delay": "reap_delay:ReapDelay",
    "no-reaper": "no_reaper:NoReaper",
    "memory": "memory:MemoryStress",
    "io": "io:IoStress",
}


OTHERS = "flakehunter stressors lists what works here"

FREE = frozenset({"none", "control", "delay", "reap-delay", "no-reaper"})
"""Stressors that take nothing from a trial beside."""


@dataclass(frozen=True, slots=True)
class Stress:
    """One stressor or several at once, in the order they were written."""

    parts: tuple[Stressor, ...]

    @property
    def spec(self) -> str:
        """Return how it is written, in full."""
        return "+".join(part.spec for part in self.parts)

    @property
    def keeps_cpus_free(self) -> bool:
        """Whether trials under it may run side by side: a delay needs no CPU, so they do not disturb each other."""
        return {part.spec.partition(":")[0] for part in self.parts} <= FREE

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Return what the supervisor has to do for a trial under all of them."""
        for part in self.parts:
            trial = part.apply(trial)
        return trial


def stressor_names() -> list[str]:
    """Return the names of all stressors, the built-in ones first."""
    return [*BUILT_IN, *(name for name in plugins.names(GROUP) if name not in BUILT_IN)]


def find_stressor(name: str) -> type[Stressor]:
    """Return the class of the stressor called `name`.

    Raises:
        UsageError: there is none, or its package is broken.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        found: type[Stressor] = getattr(import_module(f"{__name__}.{module}"), attribute)
        return found
    if name not in plugins.names(GROUP):
        usages = ", ".join(find_stressor(known).usage for known in stressor_names())
        raise UsageError(f"no stressor is called {name!r}", hint=f"known: {usages}; join several with +")
    loaded = plugins.load(GROUP, name)
    wanted = [word for word in ("usage", "summary", "parse", "probe", "apply") if not hasattr(loaded, word)]
    if wanted or not isinstance(loaded, type):
        raise UsageError(f"plugin {name!r} is no stressor: it lacks {', '.join(wanted) or 'a class'}", hint="mend it")
    return loaded


def parse_stress(text: str) -> Stress:
    """Return what a specification such as `cpu:8+reap-delay:200ms` means.

    Raises:
        UsageError: a part is unknown or wrong, or does not work on this machine.
    """
    parts = []
    for word in text.split("+"):
        name, _, argument = word.strip().partition(":")
        kind = find_stressor(name)
        parts.append(kind.parse(argument.strip()))
        capability = kind.probe()
        if not capability.usable:
            raise UsageError(f"{name} does not work here: {capability.reason}", hint=capability.hint or OTHERS)
    stress = Stress(tuple(parts))
    asked = stress.apply(TrialSpec(argv=(), cwd="", env={}, output="", time_limit_s=1.0))
    if asked.trace and asked.reap_delay_ms is not None:
        raise UsageError(
            "a tracer hears of every end first, so reap-delay and no-reaper cannot be joined with control or delay",
            hint="write delay:report:MS instead",
        )
    return stress
