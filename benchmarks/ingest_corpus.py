"""Compare what ingest reads with the ground truth of a corpus of real files: `make corpus-ingest`.

The corpus is a folder with `junit/index.tsv` and `logs/index.tsv`; it is no part of the project. Each disagreement is
printed; those of `ARGUED` are the truth's, with the reason. Exit status 1 when one is left that nobody argued.
"""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flakehunter.ingest.artifact import ArtifactReader, Refused
from flakehunter.ingest.junit.reader import SUITE_ERROR
from flakehunter.ingest.limits import DEFAULT_LIMITS
from flakehunter.ingest.sources import HEAD, Kind, Source, kind_of

NO_NAMES = "the log counts its passes and names failures only; a result without a name is no result of a test"
TODO = "a test marked TODO is a skipped one here, as in the JUnit files of the same runners"
ARGUED: dict[str, str] = {
    "gha-pytorch/collection_assertionerror.txt": "PyTorch's own script speaks of a file, no runner of a test",
    "gha-pytorch/pytest_failures_section.txt": "the truth leaves out results that stand below a test's own output",
    "local-tools/playwright-list.log": "the truth counts the flaky test apart; its last attempt passed",
    "gha-pytorch/test_file_failed_wrapper.txt": "PyTorch's own script speaks of a file, no runner of a test",
    "local-tools/ava.log": TODO,
    "local-tools/ava-tap.log": TODO,
    "local-tools/vitest-default.log": f"{TODO}; (retry x1) is a failed attempt before the last",
    "local-tools/catch2.log": NO_NAMES,
    "local-tools/ctest.log": "the truth counts CTest's `Skipped` as passed",
    "local-tools/jest-ci.log": f"{NO_NAMES}; a suite that failed to run is an error of the suite",
    "local-tools/node-test-spec.log": f"{TODO}; a test with subtests is a suite, as in its JUnit file",
    "local-tools/phpunit-testdox.log": "a risky test passed, as in PHPUnit's JUnit file",
    "local-tools/playwright-github.log": f"{NO_NAMES}; its annotations repeat the list of another reporter",
    "local-tools/prove-v.log": f"{TODO}",
    "local-tools/xmlrunner.log": NO_NAMES,
    "local-tools/unittest-v.log": "an unexpected success fails the run, an expected failure is skipped, as for pytest",
    "travis-gradle/88551599-orig.log": NO_NAMES,
    "travis-gradle/68605615-orig.log": NO_NAMES,
    "travis-maven/106770373-orig.log": NO_NAMES,
    "travis-python/113007194-orig.log": NO_NAMES,
    "travis-python/159557987-orig.log": NO_NAMES,
}
"""Disagreements that are the truth's: what it counts, and why that is no result of a test here."""


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a tab-separated file with a header."""
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t")


def number(row: dict[str, str], name: str) -> int:
    """Return a count of the truth; 0 where it is empty."""
    return int(row.get(name) or 0)


def read(path: Path) -> tuple[Counter[str], Counter[str], str]:
    """Read a file as ingest does; return outcomes of all attempts, of the last ones, and the refusal."""
    data = path.read_bytes()
    kind = kind_of(data[:HEAD], Source(path, path.name, True))
    reader = ArtifactReader(kind if kind is not Kind.OTHER else Kind.LOG, io.BytesIO(data), DEFAULT_LIMITS)
    outcomes: Counter[str] = Counter()
    last: dict[tuple[str, str, str], str] = {}
    try:
        for batch in reader.batches():
            for place, _, outcome, _, _ in batch.results:
                test = batch.tests[place]
                if test.name != SUITE_ERROR:
                    outcomes[outcome] += 1
                    last[test.suite, test.classname, test.name] = outcome
    except Refused as refused:
        return Counter(), Counter(), f"{refused.position} {refused.reason}".strip()
    damage = "; ".join(f"{issue.position} {issue.reason}" for issue in reader.issues)
    return outcomes, Counter(last.values()), damage


def compare_junit(row: dict[str, str], path: Path) -> str:
    """Return what differs; empty when the file was read as the truth says."""
    outcomes, _, refusal = read(path)
    expected = row["expected"]
    if not expected.startswith("parse"):
        return "" if refusal else f"expected {expected}, read {dict(outcomes)}"
    if refusal and not outcomes:
        return f"refused: {refusal}" if number(row, "tests") else ""
    more = number(row, "flaky_elements") + number(row, "rerun_elements")
    # The truth's `passed` counts what has no child element; a case that says notrun or disabled was not run.
    unrun = number(row, "notrun_by_attr")
    wanted = {
        "passed": number(row, "passed") - unrun,
        "bad": number(row, "failures") + number(row, "errors") + more,
        "skipped": number(row, "skipped") + unrun,
    }
    found = {
        "passed": outcomes["passed"],
        "bad": outcomes["failed"] + outcomes["errored"],
        "skipped": outcomes["skipped"],
    }
    return "" if wanted == found else f"truth {wanted}, read {found}"


def compare_log(row: dict[str, str], path: Path) -> str:
    """Return what differs; empty when the log was read as the truth says."""
    outcomes, last, refusal = read(path)
    if not row["passed"]:
        return ""
    wanted = tuple(number(row, name) for name in ("passed", "failed", "errors", "skipped"))
    # The truth counts repetitions of some runners as tests of their own, and of others the last one.
    found = [tuple(counts[name] for name in ("passed", "failed", "errored", "skipped")) for counts in (outcomes, last)]
    return "" if wanted in found else f"{row['runner']}: truth {wanted}, read {found[0]} {refusal}".strip()


def main(corpus: Path) -> int:
    """Print agreement and every disagreement; return the exit status."""
    failed = False
    for kind, compare in (("junit", compare_junit), ("logs", compare_log)):
        agreed = argued = 0
        table = list(rows(corpus / kind / "index.tsv"))
        for row in table:
            difference = compare(row, corpus / kind / row["file"])
            if not difference:
                agreed += 1
            elif row["file"] in ARGUED:
                argued += 1
                print(f"argued    {kind}/{row['file']}: {difference}: {ARGUED[row['file']]}")
            else:
                failed = True
                print(f"DIFFERENT {kind}/{row['file']}: {difference}")
        print(f"{kind}: {agreed} of {len(table)} agree, {argued} argued")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
