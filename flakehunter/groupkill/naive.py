"""Backend `naive`: kill the direct child only; the flawed baseline of whatever system this is."""

import sys

if sys.platform == "win32":
    from flakehunter.groupkill.windows.naive import NaiveBackend
elif sys.platform == "darwin":
    from flakehunter.groupkill.macos import NaiveBackend
else:
    from flakehunter.groupkill.linux.naive import NaiveBackend

__all__ = ["NaiveBackend"]
