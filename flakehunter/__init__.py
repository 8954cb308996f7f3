"""Find flaky tests in a CI history, say why they flake, reproduce them, and prove that a fix holds."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flakehunter.report.frames import load

__all__ = ["__version__", "load"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `load` when it is first asked for: it needs SQLAlchemy, and `import flakehunter` has to be quick."""
    if name == "load":
        from flakehunter.report.frames import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
