"""What would settle the verdict on a test: the next command, and what it would show."""

import shlex
from dataclasses import dataclass

from flakehunter.detect.weigh import Weighed
from flakehunter.model import EvidenceSource, Verdict


@dataclass(frozen=True, slots=True)
class Step:
    """A command to run, and what it tells."""

    command: str
    shows: str


def next_steps(label: str, weighed: Weighed) -> list[Step]:
    """Return what would settle the verdict on the test with this id, the quickest first; nothing for healthy tests."""
    if weighed.verdict is Verdict.HEALTHY:
        return []
    test = shlex.quote(label)
    sources = {item.source for item in weighed.evidence}
    repro = Step(f"flakehunter repro {test}", "whether it fails on demand, and by which late process")
    if weighed.verdict is Verdict.BROKEN:
        since = f"what commit {weighed.since[:12]} changed" if weighed.since else "what it asserts"
        return [Step(f"flakehunter show {test}", f"its failures: it fails every time, so look at {since}")]
    if weighed.verdict is Verdict.UNKNOWN:
        return [Step(repro.command, "both outcomes at one commit, which proves a flake; none speaks for a breakage")]
    steps = []
    if EvidenceSource.TRACE not in sources and EvidenceSource.REPRO not in sources:
        steps.append(
            Step(f"flakehunter trace {test}", "in one run, which look was not ordered after the end of its process")
        )
    if EvidenceSource.REPRO not in sources:
        steps.append(repro)
    else:
        steps.append(Step(f"flakehunter repro {test} --fix-rev BRANCH", "whether a fix on that branch holds"))
    return steps
