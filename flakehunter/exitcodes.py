"""Exit codes of the `flakehunter` command; documented in docs/exit-codes.md, stable from the first version."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process status of a `flakehunter` command means."""

    OK = 0
    """The command did what was asked."""
    FINDINGS = 1
    """There are findings, and `--fail-on` asked for a failure on them."""
    USAGE = 2
    """A wrong option, argument, configuration, or an unknown test."""
    REJECTED = 3
    """Artifacts were rejected under `--strict`."""
    NOTHING = 4
    """Nothing to work on: no artifact below the paths, no database yet, no result in it."""
    DATABASE = 5
    """The database cannot be opened or written, or its revision does not fit this version."""
    REMOTE = 6
    """A service on the network fails, cannot be reached, or asks to wait too long."""
    BUG = 70
    """An error of flakehunter itself (EX_SOFTWARE of sysexits.h)."""
    TIMED_OUT = 124
    """`flakehunter run` only: the time limit ended CMD, as with timeout(1)."""
    NOT_STARTED = 125
    """`flakehunter run` only: CMD could not be started."""
    INTERRUPTED = 130
    """Ended by SIGINT (128 + 2)."""
    TERMINATED = 143
    """Ended by SIGTERM (128 + 15)."""
