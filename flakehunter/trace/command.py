"""Which strace there is, whether it may trace here, and how it is called."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flakehunter.errors import FlakehunterError
from flakehunter.exitcodes import ExitCode
from flakehunter.ptrace_scope import why_refused
from flakehunter.trace.watching import CALLS

__all__ = ["Strace", "TraceUnavailableError", "find_strace", "hook_environment", "strace_argv"]

HOOKS = Path(__file__).resolve().parent / "hooks"
STRING_LIMIT = 256
"""Characters of a string that strace prints; paths are always whole."""
PROBE_TIMEOUT_S = 10.0
_VERSION = re.compile(r"version (\d+)\.(\d+)")


class TraceUnavailableError(FlakehunterError):
    """There is no strace, or it may not trace here; everything else of flakehunter works without it."""

    exit_code = ExitCode.USAGE
    slug = "trace-unavailable"


@dataclass(frozen=True, slots=True)
class Strace:
    """The strace to use: its path, version, and whether it can filter calls in the kernel (--seccomp-bpf, 5.3)."""

    path: str
    version: tuple[int, int]
    seccomp: bool
    unwinds: bool = False
    """Whether it was built to print native stacks (-k)."""
    narrows: bool = False
    """Whether its filter can be replaced by one that looks at arguments too (stops.py)."""


def find_strace(path: str | None = None) -> Strace:
    """Return the strace to use, after a dry run on `true`.

    Raises:
        TraceUnavailableError: this is not Linux, there is no strace, or the kernel does not let it trace.
    """
    if not sys.platform.startswith("linux"):
        raise TraceUnavailableError(
            f"trace needs strace, which is for Linux only, and this is {sys.platform}",
            hint="run it on Linux or in a container; detect, scan and report work here",
        )
    from flakehunter.trace.stops import can_narrow  # filters are Linux's own, and this module is read everywhere

    found = shutil.which(path or "strace")
    if found is None:
        raise TraceUnavailableError(
            f"strace is not installed ({path or 'strace'} is not on PATH)",
            hint="apt install strace (or dnf, apk add strace)",
        )
    words = subprocess.run([found, "-V"], capture_output=True, text=True, check=False, timeout=PROBE_TIMEOUT_S).stdout
    number = _VERSION.search(words)
    version = (int(number[1]), int(number[2])) if number else (0, 0)
    _dry_run(found)
    seccomp = version >= (5, 3)
    return Strace(found, version, seccomp, "stack-trace=" in words, seccomp and can_narrow(found))


def _dry_run(strace: str) -> None:
    tried = subprocess.run(
        [strace, "-f", "-qq", "-o", os.devnull, "true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROBE_TIMEOUT_S,
    )
    if tried.returncode == 0:
        return
    said = " ".join(tried.stderr.split()) or f"status {tried.returncode}"
    raise TraceUnavailableError(f"strace may not trace here: {said}", hint=": ".join(why_refused()))


def strace_argv(strace: Strace, output: Path, command: Sequence[str], *, stacks: bool = False) -> list[str]:
    """Return the command line that runs `command` under strace and writes what the reader understands to `output`.

    Only the calls of `watching.CALLS` stop the traced threads (with --seccomp-bpf the others cost nothing). With
    `stacks` every call is followed by its native stack, which takes a millisecond and more.
    """
    filters = ["--seccomp-bpf"] if strace.seccomp else []
    return [
        strace.path,
        "-f",
        *filters,
        *(["-k"] if stacks else []),
        "-ttt",
        "-T",
        "-y",
        "-q",
        f"-s{STRING_LIMIT}",
        "-etrace=" + ",".join(f"?{name}" for name in sorted(CALLS)),
        "-esignal=all",
        f"-o{output}",
        "--",
        *command,
    ]


def hook_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with the hooks that make Python and Node programs mark their calls with file and line.

    pytest finds the plugin that marks its tests by the entry point in `hooks/pytest`, vitest and Node's own runner are
    marked by the hook for Node.
    """
    changed = dict(environment)
    path = changed.get("PYTHONPATH")
    folders = [str(HOOKS / "python"), str(HOOKS / "pytest")]
    changed["PYTHONPATH"] = os.pathsep.join([*folders, path] if path else folders)
    options = changed.get("NODE_OPTIONS", "")
    changed["NODE_OPTIONS"] = f"--require={HOOKS / 'node.cjs'} {options}".strip()
    return changed
