"""Which run a file belongs to, in this order of trust: options, a table, layout, the CI's environment, a checkout."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path

from flakehunter.db.rows import RunRow
from flakehunter.ingest.ci import from_environment
from flakehunter.ingest.layout import Layout
from flakehunter.ingest.runtable import Listed, RunTables
from flakehunter.ingest.sources import Source


@dataclass(frozen=True, slots=True)
class RunNaming:
    """Names the run of each file.

    `given` holds what the user said in options and wins over everything; `tables` finds a `runs.csv` or `runs.jsonl`
    beside a file; `layout` is consulted for each file; `around` is what the CI service or the git checkout says, and
    is left out where a table or a layout tells of other runs.
    """

    given: RunRow = field(default_factory=RunRow)
    layout: Layout | None = None
    around: RunRow = field(default_factory=RunRow)
    tables: RunTables = field(default_factory=RunTables)

    def run_of(self, source: Source) -> RunRow | None:
        """Return the run of a file; None when the layout does not fit its path.

        Raises:
            UsageError: a table beside the file cannot be read.
        """
        found_in_table = self._listed(source)
        listed = found_in_table.run if found_in_table is not None else None
        if self.layout is None:
            return _over(self.given, listed or self.around)
        found = self.layout.match(source.relative)
        if found is None:
            return None if listed is None else _over(self.given, listed)
        return _over(self.given, found if listed is None else _over(listed, found))

    def counts_log(self, source: Source) -> bool:
        """Whether results that a log tells of count; a table may say that they repeat others."""
        listed = self._listed(source)
        return listed is None or listed.log_results

    def _listed(self, source: Source) -> Listed | None:
        return self.tables.listed(source.root, source.relative) if source.root is not None else None


@lru_cache(64)
def _over(first: RunRow, second: RunRow) -> RunRow:
    """Return `first` with what it leaves open taken from `second`."""
    default = RunRow()
    missing = {
        entry.name: getattr(second, entry.name)
        for entry in fields(RunRow)
        if getattr(first, entry.name) == getattr(default, entry.name)
    }
    return replace(first, **missing)


def surroundings(environment: Mapping[str, str], folder: Path) -> tuple[RunRow, str]:
    """Return what is known of the run from outside the files, and where from, in words; empty when nothing is."""
    found = from_environment(environment)
    if found is not None:
        return found, f"the environment of {found.provider}"
    commit = _git(folder, "rev-parse", "HEAD")
    if commit:
        branch = _git(folder, "branch", "--show-current")
        return RunRow(commit=commit, branch=branch), f"the git checkout {_git(folder, 'rev-parse', '--show-toplevel')}"
    return RunRow(), ""


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def named_after_content(run: RunRow, sha256: bytes) -> RunRow:
    """Give a run that nobody named a name that follows from the file: the same file is the same run again."""
    return run if run.external_id else replace(run, external_id=f"file-{sha256.hex()[:16]}")
