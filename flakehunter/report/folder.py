"""Write a site into a folder: whole files only, none that is not ours overwritten, none of ours left behind."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    return _read(folder / LIST)


def _read(listed: Path) -> dict[str, Any]:
    try:
        document = json.loads(listed.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def check_folder(folder: Path) -> None:
    """Refuse a folder that no report can go into, before the work of making one.

    Raises:
        UsageError: it is a file, cannot be made or written, or its first page is not ours.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="give another with -o DIR")
    _refuse_foreign(folder, ["index.html"], _known(folder / LIST))
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"cannot write the report: {there} may not be written", hint="give a folder that can be written with -o DIR"
        )


def write_site(files: Iterable[tuple[str, str]], folder: Path, *, keep: Mapping[str, object] | None = None) -> Written:
    """Write (relative path, text) pairs below `folder`, which is made where it is missing.

    `keep` goes into the list of files, for the next report to read with `read_list`.

    Raises:
        UsageError: the folder cannot be written, or a file that is not ours is in the way; nothing was changed then.
    """
    pages = dict(files)
    with guarded_folder(folder, set(pages), keep=keep) as known:
        size = sum(_write(folder / name, content) for name, content in pages.items())
    removed = len(known - set(pages))
    return Written(folder / "index.html", len(pages), size, removed, _count_foreign(folder, set(pages)))


@contextmanager
def guarded_folder(
    folder: Path, names: set[str], *, list_name: str = LIST, keep: Mapping[str, object] | None = None
) -> Iterator[set[str]]:
    """Let the caller write the files `names` below `folder`; give the names that were ours before.

    Afterwards the old files that are not in `names` are gone, and the list tells the new ones and `keep`.

    Raises:
        UsageError: as `write_site`.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="give another with -o DIR")
    listed = folder / list_name
    try:
        known = _known(listed)
        _refuse_foreign(folder, names, known)
        folder.mkdir(parents=True, exist_ok=True)
        # Both the old and the new names are ours from now on, even if we are ended half-way.
        _write_list(listed, {*known, *names}, _read(listed))
        yield known
        _remove(folder, known - names)
        _write_list(listed, names, keep or {})
    except OSError as error:
        raise UsageError(
            f"cannot write the report: {error.filename or folder}: {error.strerror or error}",
            hint="give a folder that can be written with -o DIR",
        ) from error


def _known(listed: Path) -> set[str]:
    """Return the names in the list of the report before, without any that would lead out of the folder."""
    names = _read(listed).get("files")
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


def _write_list(listed: Path, names: Iterable[str], keep: Mapping[str, object]) -> None:
    document = {**keep, "schema_version": SCHEMA_VERSION, "files": sorted(names)}
    _write(listed, json.dumps(document, indent=1, sort_keys=True) + "\n")


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _count_foreign(folder: Path, own: set[str]) -> int:
    return sum(
        1
        for path in folder.rglob("*")
        if path.is_file() and path.name != LIST and path.relative_to(folder).as_posix() not in own
    )
