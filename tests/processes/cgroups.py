"""Cgroups that a process of ours made: those of other tests, which run at the same time, are nobody's business here."""

from collections.abc import Collection
from pathlib import Path

from flakehunter.groupkill.linux.cgroup_reach import PREFIX


def cgroups_of(owners: Collection[int], parent: Path) -> list[Path]:
    """Return the cgroups below `parent` whose names say that one of the processes `owners` made them."""
    return [folder for pid in owners for folder in parent.glob(f"{PREFIX}{pid}-*")]
