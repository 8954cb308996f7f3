"""The rooms of the systems: Windows' own tests run under Wine, and no CI of ours runs another system."""

import ast
from pathlib import Path

import pytest

import flakehunter.repro
from flakehunter.errors import UsageError
from flakehunter.repro import elsewhere

FOLDER = Path(flakehunter.repro.__file__).parent


def offered(file: str) -> list[str]:
    """Return `__all__` of a module that may not be importable here."""
    for node in ast.parse((FOLDER / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def test_every_room_holds_the_same_names() -> None:
    assert offered("linux/room.py") == offered("windows/room.py") == offered("elsewhere.py") != []
    assert all(hasattr(elsewhere, name) for name in elsewhere.__all__)


def test_a_system_without_a_room_is_told_what_is_needed() -> None:
    with pytest.raises(UsageError, match="repro needs Linux or Windows") as refused:
        elsewhere.require()
    assert refused.value.hint
    found = elsewhere.can("cpu")
    assert (found.usable, "Linux and on Windows" in found.reason) == (False, True)
