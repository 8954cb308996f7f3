"""Log formats that other packages bring, under the entry point group `flakehunter.logs`."""

from typing import cast

from flakehunter import plugins
from flakehunter.errors import UsageError
from flakehunter.ingest.logs.format import Format

GROUP = "flakehunter.logs"


def formats_of_plugins() -> tuple[Format, ...]:
    """Return one format of each registered class, by name; they are tried before the built-in ones.

    Raises:
        UsageError: a package is broken, or what it registers has not the shape of a `Format`.
    """
    return tuple(_format(name) for name in plugins.names(GROUP))


def _format(name: str) -> Format:
    loaded = plugins.load(GROUP, name)
    missing = [word for word in ("name", "start", "weak", "reader") if not hasattr(loaded, word)]
    if missing or not isinstance(loaded, type):
        raise UsageError(
            f"plugin {name!r} is no log format: it lacks {', '.join(missing) or 'a class'}", hint="mend it"
        )
    return cast(Format, loaded())
