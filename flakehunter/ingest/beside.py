"""What another process does for the one that writes, which then never imports NumPy."""

from typing import TYPE_CHECKING

from flakehunter.db.rows import Written
from flakehunter.errors import FlakehunterError
from flakehunter.fanout.companion import Companion

if TYPE_CHECKING:
    from flakehunter.db.queries.rolling import Pack


def packing(beside: Companion | None) -> "Pack | None":
    """Have rollups packed by another process, which imports NumPy before there is one; None without that process."""
    if beside is None:
        return None
    beside.submit(_packed, Written(), name="a rollup")

    def pack(written: Written) -> bytes:
        try:
            return beside.submit(_packed, written, name="a rollup").result()
        except FlakehunterError:  # it was killed
            return _packed(written)

    return pack


def _packed(written: Written) -> bytes:
    from flakehunter.db.queries.packing import packed

    return packed(written)
