"""What every stressor says of itself, and what its probe found on this machine."""

from typing import Any

from flakehunter.errors import UsageError
from flakehunter.repro.stressors import find_stressor, stressor_names


def list_stressors() -> list[dict[str, Any]]:
    """Return a row for each: name, usage, summary, needs, side_effects, usable, reason, hint; a broken plugin too."""
    rows: list[dict[str, Any]] = []
    for name in stressor_names():
        row: dict[str, Any] = {"name": name, "usage": name, "summary": "", "needs": "", "side_effects": ""}
        try:
            kind = find_stressor(name)
            capability = kind.probe()
        except UsageError as error:
            row |= {"summary": "a plugin that cannot be used", "reason": error.message, "hint": error.hint or ""}
            rows.append(row | {"usable": False})
            continue
        row |= {word: getattr(kind, word, "") for word in ("usage", "summary", "needs", "side_effects")}
        rows.append(row | {"usable": capability.usable, "reason": capability.reason, "hint": capability.hint})
    return rows
