"""What `detect` starts before its large imports: a companion, which gets ready for its part of the work meanwhile."""

import contextlib
from collections.abc import Iterator, Sequence

from flakehunter.detect.rulebook import Rule
from flakehunter.fanout.companion import Companion, companion
from flakehunter.fanout.fleet_beside import join_early


@contextlib.contextmanager
def early_companion(
    rules: Sequence[Rule], workers: int | None = None, scheduler: str | None = None
) -> Iterator[Companion | None]:
    """Start a companion that compiles the patterns of the rules, or joins the fleet of a scheduler.

    None where `companion` gives none.
    """
    with companion(None if scheduler else workers) as beside:
        if beside is not None and scheduler is not None:
            join_early(scheduler, beside)
        elif beside is not None:
            beside.submit(_get_ready, rules, name="the text rules")
        yield beside


def _get_ready(rules: Sequence[Rule]) -> None:
    import flakehunter.detect.text
    import flakehunter.stats.series  # noqa: F401

    for rule in rules:
        _ = rule.pattern
