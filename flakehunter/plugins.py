"""Plugins found by entry point, loaded on first use."""

from typing import TYPE_CHECKING

from flakehunter.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["load", "names"]


def _group(group: str) -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points  # a fifth of what `flakehunter --help` takes to start

    return {point.name: point for point in entry_points(group=group)}


def names(group: str) -> list[str]:
    """Return the sorted names that installed packages register in `group`."""
    return sorted(_group(group))


def load(group: str, name: str) -> object:
    """Import and return what is registered as `name` in `group`.

    Raises:
        UsageError: nothing of that name is registered, or importing it failed.
    """
    points = _group(group)
    if name not in points:
        known = ", ".join(sorted(points)) or "none is installed"
        raise UsageError(f"no plugin {name!r} in {group}", hint=f"known: {known}")
    try:
        return points[name].load()
    except Exception as error:
        raise UsageError(
            f"plugin {name!r} of {group} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"mend or uninstall the package that provides {points[name].value}",
        ) from error
