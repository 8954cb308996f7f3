"""The folder that downloads go to: one folder a run's attempt, with a `runs.jsonl` that ingest understands.

    github/OWNER/REPO/<run id>-<attempt>/{runs.jsonl, artifact-<id>.zip, job-<id>.log, .fetched}

A file is listed once it is there as a whole, so a download that was ended anywhere goes on where it was.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flakehunter.errors import UsageError

_STATE = ".fetched"
_TABLE = "runs.jsonl"


class RunFolder:
    """The downloads of one attempt of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        state = _lines(path / _STATE)
        self._gone = {entry["gone"] for entry in state if "gone" in entry}
        self._complete = {entry["complete"] for entry in state if "complete" in entry}
        self._listed = {entry["path"] for entry in _lines(path / _TABLE) if "path" in entry}

    def is_complete(self, wanted: str) -> bool:
        """Whether everything was downloaded that `wanted` describes."""
        return wanted in self._complete

    def has(self, name: str) -> bool:
        """Whether a file is there, or known not to be."""
        return name in self._gone or (name in self._listed and (self.path / name).is_file())

    def target(self, name: str) -> Path:
        """Return where to write a file.

        Raises:
            UsageError: the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make folder {self.path}: {error.strerror}", hint="give another one with --to"
            ) from error
        return self.path / name

    def list_file(self, name: str, run: Mapping[str, str]) -> None:
        """Say whose a file is, now that it is there."""
        if name not in self._listed:
            _append(self.target(_TABLE), {"path": name, **{key: value for key, value in run.items() if value}})
            self._listed.add(name)

    def note_gone(self, name: str) -> None:
        """Remember that a file is not to be had any more."""
        if name not in self._gone:
            _append(self.target(_STATE), {"gone": name})
            self._gone.add(name)

    def note_complete(self, wanted: str) -> None:
        """Remember that nothing is left to download."""
        _append(self.target(_STATE), {"complete": wanted})
        self._complete.add(wanted)


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a line in one write: a killed process leaves it whole or not at all."""
    with path.open("ab", buffering=0) as stream:
        stream.write(json.dumps(entry).encode() + b"\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", hint="delete the folder, and fetch it again") from error
