"""Long benchmarks in turns: what was measured is kept in a file, and the next turn goes on from there."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["Row", "in_turns"]

Row = dict[str, Any]
"""What was measured in one piece of work; `key` names it."""


def in_turns(kept: Path, work: Iterable[tuple[str, Callable[[], Row]]], *, seconds: float) -> dict[str, Row]:
    """Do each piece of work that has no row in `kept` yet, and return the rows by their keys.

    A piece has a key, which names its row, and a function that measures it. Nothing is begun after so many seconds:
    then rows are missing, and another call does the rest.
    """
    rows: dict[str, Row] = {}
    if kept.exists():
        rows = {row["key"]: row for row in map(json.loads, kept.read_text(encoding="utf-8").splitlines())}
    start = time.monotonic()
    keys = []
    for key, measure in work:
        keys.append(key)
        if key in rows:
            continue
        if time.monotonic() - start > seconds:
            continue
        rows[key] = {"key": key} | measure()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[key]) + "\n")
        print(key, flush=True)
    missing = sum(key not in rows for key in keys)
    if missing:
        print(f"{missing} of {len(keys)} are left for another turn", flush=True)
    return {key: rows[key] for key in keys if key in rows}
