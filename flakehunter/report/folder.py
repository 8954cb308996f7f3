"""Write a site into a folder: whole files only, none that is not ours overwritten, none of ours left behind."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from flakehunter.errors import UsageError
from flakehunter.model import SCHEMA_VERSION

LIST = "flakehunter-report.json"
"""Names the files that a report wrote, so that the next one knows what is its own."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the folder."""

    index: Path
    files: int
    bytes: int
    removed: int
    """Files of the report before that are no part of this one."""
    foreign: int
    """Files in the folder that are not ours; they were left alone."""


def read_list(folder: Path) -> dict[str, Any]:
    """Return what the report before kept in `folder`; empty where there is none, or none that can be read."""
    try:
        document = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_site(files: Iterable[tuple[str, str]], folder: Path, *, keep: Mapping[str, object] | None = None) -> Written:
    """Write (relative path, text) pairs below `folder`, which is made where it is missing.

    `keep` goes into the list of files, for the next report to read with `read_list`.

    Raises:
        UsageError: the folder cannot be written, or a file that is not ours is in the way; nothing was changed then.
    """
    pages = dict(files)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="give another with -o DIR")
    try:
        known = _known(folder)
        told = dict(keep or {})
        _refuse_foreign(folder, pages, known)
        folder.mkdir(parents=True, exist_ok=True)
        # Both the old and the new names are ours from now on, even if we are ended half-way.
        _write_list(folder, {*known, *pages}, read_list(folder))
        size = sum(_write(folder / name, content) for name, content in pages.items())
        removed = _remove(folder, known - set(pages))
        _write_list(folder, set(pages), told)
    except OSError as error:
        raise UsageError(
            f"cannot write the report: {error.filename or folder}: {error.strerror or error}",
            hint="give a folder that can be written with -o DIR",
        ) from error
    return Written(folder / "index.html", len(pages), size, removed, _count_foreign(folder, set(pages)))


def _known(folder: Path) -> set[str]:
    """Return the names in the list of the report before, without any that would lead out of the folder."""
    names = read_list(folder).get("files")
    if not isinstance(names, list):
        return set()
    paths = [PurePosixPath(name) for name in names if isinstance(name, str)]
    return {str(path) for path in paths if not path.is_absolute() and ".." not in path.parts}


def _refuse_foreign(folder: Path, pages: Iterable[str], known: set[str]) -> None:
    foreign = [name for name in pages if name not in known and os.path.lexists(folder / name)]
    if foreign:
        raise UsageError(
            f"{folder / foreign[0]} is in the way and was not written by flakehunter report",
            hint="give an empty or new folder with -o DIR; nothing was changed",
        )


def _write(path: Path, content: str) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8", "replace")
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
    return len(data)


def _write_list(folder: Path, names: Iterable[str], keep: Mapping[str, object]) -> None:
    document = {**keep, "schema_version": SCHEMA_VERSION, "files": sorted(names)}
    _write(folder / LIST, json.dumps(document, indent=1, sort_keys=True) + "\n")


def _remove(folder: Path, names: Iterable[str]) -> int:
    count = 0
    for name in names:
        path = folder / name
        if path.is_file():
            path.unlink()
            count += 1
    return count


def _count_foreign(folder: Path, own: set[str]) -> int:
    return sum(
        1
        for path in folder.rglob("*")
        if path.is_file() and path.name != LIST and path.relative_to(folder).as_posix() not in own
    )
