"""What changed between two states of a project: new flakes, healed ones, worse and better ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flakehunter.model import Verdict
from flakehunter.report.views import Change, Changes, Overview, TestSummary


@dataclass(frozen=True, slots=True)
class TestState:
    """What a report said of a test; rates in [0, 1]."""

    __test__ = False  # the name makes pytest think that this is a test class

    label: str
    verdict: Verdict
    rate: float
    low: float
    high: float
    lost_jobs: int


@dataclass(frozen=True, slots=True)
class State:
    """What a report said of a project; `tests` by key in hex, those that are not healthy."""

    tests: Mapping[str, TestState]
    runs: int
    lost: int
    until: str
    """Day of the newest run, empty when unknown."""
    scope: str = ""
    """What the report was limited to, in words; only reports of one scope are compared."""

    def as_document(self) -> dict[str, Any]:
        """Return the state as it is kept in the folder of a report."""
        return {
            "runs": self.runs,
            "lost": self.lost,
            "until": self.until,
            "scope": self.scope,
            "tests": {
                key: {
                    "id": test.label,
                    "verdict": test.verdict.value,
                    "rate": {"value": test.rate, "low": test.low, "high": test.high},
                    "lost_jobs": test.lost_jobs,
                }
                for key, test in sorted(self.tests.items())
            },
        }

    @classmethod
    def of_document(cls, document: Any) -> "State | None":
        """Return the state that `as_document` wrote; None for anything else."""
        try:
            tests = {
                str(key): TestState(
                    str(test["id"]),
                    Verdict(test["verdict"]),
                    float(test["rate"]["value"]),
                    float(test["rate"]["low"]),
                    float(test["rate"]["high"]),
                    int(test["lost_jobs"]),
                )
                for key, test in document["tests"].items()
            }
            return cls(
                tests, int(document["runs"]), int(document["lost"]), str(document["until"]), str(document["scope"])
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def state_of(overview: Overview) -> State:
    """Return what a report is about to say."""
    rows: Iterable[TestSummary] = [*overview.flaky, *overview.broken, *overview.unsure]
    return State(
        tests={
            row.identity.key.hex(): TestState(
                row.label, row.verdict, row.rate.value, row.rate.low, row.rate.high, row.lost_jobs
            )
            for row in rows
        },
        runs=overview.runs,
        lost=overview.cost.lost,
        until=overview.last.date().isoformat() if overview.last else "",
        scope=overview.scope.words,
    )


def compare(before: State, after: State, slugs: Mapping[str, str] | None = None) -> Changes:
    """Return what changed; `slugs` names the pages of tests by key.

    A flake is worse when its rate is above the whole interval it had before, and better when it is below it.
    """
    slugs = slugs or {}
    flaky_before = {key for key, test in before.tests.items() if test.verdict is Verdict.FLAKY}
    flaky_after = {key for key, test in after.tests.items() if test.verdict is Verdict.FLAKY}

    def change(key: str) -> Change:
        old, new = before.tests.get(key), after.tests.get(key)
        known = new or old
        assert known is not None
        return Change(
            label=known.label,
            slug=slugs.get(key),
            before=old.rate if old and key in flaky_before else None,
            after=new.rate if new and key in flaky_after else None,
            now=new.verdict if new else None,
        )

    both = flaky_before & flaky_after
    return Changes(
        until=before.until,
        runs=after.runs - before.runs,
        lost=after.lost - before.lost,
        new=_sorted(change(key) for key in flaky_after - flaky_before),
        healed=_sorted(change(key) for key in flaky_before - flaky_after),
        worse=_sorted(change(key) for key in both if after.tests[key].rate > before.tests[key].high),
        better=_sorted(change(key) for key in both if after.tests[key].rate < before.tests[key].low),
    )


def _sorted(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda one: (-(one.after or one.before or 0.0), one.label)))
