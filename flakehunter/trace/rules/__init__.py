"""The ordering rules, language-free: each module looks at one kind of event of a finished trace."""

from dataclasses import replace

from flakehunter.trace.findings import Finding
from flakehunter.trace.rules import assignments, deadlines, looks, readiness, survivors
from flakehunter.trace.rules.noise import is_noise
from flakehunter.trace.world import World

__all__ = ["find_all"]


def find_all(world: World) -> list[Finding]:
    """Return the findings of a trace in the order in which they happened, one for each looker and victim and rule."""
    found = [
        _in_its_test(finding, world)
        for rule in (looks, readiness, deadlines, assignments, survivors)
        for finding in rule.find(world)
        if not is_noise(finding, world)
    ]
    unique: dict[tuple[str, int, int], Finding] = {}
    for finding in sorted([*world.settled, *found], key=lambda one: one.looked or one.signalled or 0.0):
        unique.setdefault((finding.mechanism, finding.victim.index, finding.looker.index), finding)
    return list(unique.values())


def _in_its_test(finding: Finding, world: World) -> Finding:
    time = finding.looked or finding.signalled
    if finding.window is not None or time is None:
        return finding
    return replace(finding, window=world.windows.of(finding.looker, time))
