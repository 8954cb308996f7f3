"""`runs.csv` and `runs.jsonl` beside the artifacts: which run a file is of, written down by whoever collected them.

A row names a run in the words of `fields.FIELDS`. Its `path` is a file, a folder, an archive, or a pattern for one of
them, relative to the table's folder; without one the row is for everything that no other row names. The table that is
nearest to a file counts, in it the path that says most, and of patterns the first. `log_results` is `no` for a log
that repeats what JUnit files of other jobs say: only its events are kept.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import Any

from flakehunter.db.rows import RunRow
from flakehunter.errors import UsageError
from flakehunter.ingest.fields import FIELDS, run_of_fields

NAMES = ("runs.jsonl", "runs.csv")
"""File names of a table; the first one that is there counts."""

_HINT = f"a row has the fields path, {', '.join(FIELDS)}"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a table says of a file: its run, and whether results that a log tells of count."""

    run: RunRow
    log_results: bool = True


@dataclass(frozen=True, slots=True)
class RunTable:
    """The rows of one file: exact paths and folders, then patterns, in the order of the file."""

    folder: Path
    places: Mapping[str, Listed]
    patterns: tuple[tuple[re.Pattern[str], Listed], ...]

    def listed(self, path: str) -> Listed | None:
        """Return what is said of a file, whose `path` is relative to the table's folder; None where no row fits."""
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(len(parts), -1, -1)]
        exact = next((self.places[place] for place in above[:-1] if place in self.places), None)
        if exact is not None:
            return exact
        fitting = (listed for pattern, listed in self.patterns if any(pattern.fullmatch(place) for place in above))
        return next(fitting, self.places.get(""))


class RunTables:
    """Finds the table of each file; every folder is looked at once."""

    def __init__(self) -> None:
        self._tables: dict[Path, RunTable | None] = {}
        self._near: dict[tuple[Path, str], list[RunTable]] = {}

    def listed(self, root: Path, relative: str) -> Listed | None:
        """Return what is said of the file `relative`, from the nearest table between it and `root`; None without one.

        Raises:
            UsageError: a table cannot be read.
        """
        parent = relative.rpartition("/")[0]
        near = self._near.get((root, parent))
        if near is None:
            near = self._near[root, parent] = list(self._above(root, parent))
        for table in near:
            depth = len(table.folder.parts) - len(root.parts)
            found = table.listed(relative.split("/", depth)[-1])
            if found is not None:
                return found
        return None

    def _above(self, root: Path, parent: str) -> Iterator[RunTable]:
        """Yield the tables of a folder and of those above it, up to `root`."""
        folder = root / parent
        while True:
            if folder not in self._tables:
                self._tables[folder] = _table_in(folder)
            table = self._tables[folder]
            if table is not None:
                yield table
            if folder == root:
                return
            folder = folder.parent


def _table_in(folder: Path) -> RunTable | None:
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    return read_table(path) if path is not None else None


def read_table(path: Path) -> RunTable:
    """Read a table.

    Raises:
        UsageError: it cannot be read, or a row holds a field that means nothing.
    """
    places: dict[str, Listed] = {}
    patterns = []
    for line, fields in _rows(path):
        unknown = set(fields) - {*FIELDS, "path", "log_results"}
        if unknown:
            raise UsageError(f"{path}, line {line}: unknown field {min(unknown)!r}", hint=_HINT)
        try:
            listed = Listed(run_of_fields(fields), fields.get("log_results", "").lower() not in ("no", "false", "0"))
        except UsageError as error:
            raise UsageError(f"{path}, line {line}: {error.message}", hint=error.hint) from error
        place = (fields.get("path") or "").replace("\\", "/").removeprefix("./").strip("/")
        if any(character in place for character in "*?["):
            patterns.append((re.compile(translate(place)), listed))
        else:
            places.setdefault("" if place == "." else place, listed)
    return RunTable(path.parent, places, tuple(patterns))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if path.suffix == ".csv":
                reader = csv.DictReader(stream, skipinitialspace=True)
                for row in reader:
                    yield reader.line_num, _plain(row, path, reader.line_num)
            else:
                for line, text in enumerate(stream, start=1):
                    if text.strip():
                        yield line, _plain(json.loads(text), path, line)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    except (ValueError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {error}", hint=_HINT) from error


def _plain(row: Any, path: Path, line: int) -> dict[str, str]:
    if not isinstance(row, dict) or None in row:
        raise UsageError(f"{path}, line {line}: not one value a field", hint=_HINT)
    return {str(name).strip(): "" if value is None else str(value) for name, value in row.items()}
