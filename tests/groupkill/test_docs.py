"""docs/groupkill.md names every backend that is registered, and the examples it promises exist."""

from pathlib import Path

import pytest

from flakehunter import plugins
from flakehunter.groupkill.choice import AUTO_ORDER, ENTRY_POINTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", [name for name in plugins.names(ENTRY_POINTS) if name != "own"])
def test_every_backend_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs/groupkill.md").read_text(encoding="utf-8")


def test_auto_only_takes_what_is_registered() -> None:
    assert {name for names in AUTO_ORDER.values() for name in names} <= set(plugins.names(ENTRY_POINTS))
