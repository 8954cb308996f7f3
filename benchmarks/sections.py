"""Put a measured table into its place in a Markdown file, between two comments that name it."""

import os
from pathlib import Path

__all__ = ["machine", "write_section"]

QUIET = 0.5
"""Load of a machine that has nothing else to do."""


def machine() -> str:
    """Return what figures depend on: how many CPUs, and whether others are at work now."""
    load = os.getloadavg()[0]
    state = "with nothing else to do" if load < QUIET else f"loaded: others were at work, load {load:.0f}"
    return f"{os.cpu_count()} CPUs, {state}."


def write_section(file: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises:
        ValueError: the file has no such place.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = file.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{file} has no {begin} … {end}")
    file.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")
