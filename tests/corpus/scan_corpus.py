"""Precision and recall of `flakehunter scan` on the labelled files in `scan/`; run by `make corpus`.

The first lines of each file say what it is: `flawed: MECHANISM` or `correct`, and why. A finding in a correct file,
or of another mechanism than the label's, is a false alarm; a label without a finding is a miss.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from flakehunter.model import Mechanism
from flakehunter.scan.run import scan

FOLDER = Path(__file__).resolve().parent / "scan"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file of the corpus; `wanted` is empty for a correct one."""

    path: Path
    wanted: frozenset[Mechanism]
    why: str

    @property
    def name(self) -> str:
        """Path below the corpus."""
        return self.path.relative_to(FOLDER).as_posix()

    def found(self) -> frozenset[Mechanism]:
        """Scan the file alone and return the mechanisms found in it."""
        return frozenset(finding.mechanism for finding in scan([self.path], jobs=1).findings)


@dataclass(slots=True)
class Score:
    """Counts for one mechanism."""

    hits: int = 0
    false_alarms: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of the findings that are right; 1 without findings."""
        found = self.hits + len(self.false_alarms)
        return self.hits / found if found else 1.0

    @property
    def recall(self) -> float:
        """Share of the flaws that are found; 1 without flaws."""
        there = self.hits + len(self.misses)
        return self.hits / there if there else 1.0


def load() -> list[Labelled]:
    """Read the labels of all files."""
    files = []
    for path in sorted(FOLDER.rglob("*")):
        if not path.is_file():
            continue
        head = path.read_text(encoding="utf-8")[:600]
        flawed = re.search(r"(?:#|//)\s*flawed:\s*([\w, -]+)", head)
        why = re.search(r"(?:#|//)\s*why:\s*(.+)", head)
        if why is None or not (flawed or re.search(r"(?:#|//)\s*correct\s*$", head, re.MULTILINE)):
            raise ValueError(f"{path} has no label in its first lines")
        wanted = frozenset(Mechanism(word) for word in re.findall(r"[\w-]+", flawed[1])) if flawed else frozenset()
        files.append(Labelled(path, wanted, why[1]))
    return files


def evaluate(files: list[Labelled]) -> dict[Mechanism, Score]:
    """Scan every file and count per mechanism."""
    scores = {mechanism: Score() for mechanism in Mechanism}
    for file in files:
        found = file.found()
        for mechanism in found | file.wanted:
            score = scores[mechanism]
            if mechanism not in file.wanted:
                score.false_alarms.append(file.name)
            elif mechanism not in found:
                score.misses.append(file.name)
            else:
                score.hits += 1
    return scores


def table(files: list[Labelled], scores: dict[Mechanism, Score]) -> str:
    """Return the scores as a table, with the files that are judged wrongly below it."""
    flawed = sum(bool(file.wanted) for file in files)
    languages = len({file.path.parent.name for file in files})
    lines = [
        f"{len(files)} files in {languages} languages: {flawed} flawed, {len(files) - flawed} correct",
        "",
        f"{'mechanism':22} {'flaws':>5} {'precision':>9} {'recall':>6}",
    ]
    wrong = []
    for mechanism, score in scores.items():
        there = score.hits + len(score.misses)
        lines.append(f"{mechanism:22} {there:5} {score.precision:9.3f} {score.recall:6.3f}")
        wrong += [f"false alarm: {name}: {mechanism}" for name in score.false_alarms]
        wrong += [f"miss: {name}: {mechanism}" for name in score.misses]
    return "\n".join(lines + (["", *wrong] if wrong else []))


def main() -> int:
    """Print the table; 1 when a mechanism is below the targets (precision 0.95, recall 0.9)."""
    files = load()
    scores = evaluate(files)
    print(table(files, scores))
    return 0 if all(s.precision >= 0.95 and s.recall >= 0.9 for s in scores.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
