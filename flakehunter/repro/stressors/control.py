"""`control`: the tracing supervisor without any delay, since being traced shifts the timing by itself."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from flakehunter.repro.stressors.base import Capability, PlainStressor
from flakehunter.repro.trial import TrialSpec

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
"""0 to 3; with 0 and 1 own children may be traced (kernel documentation, admin-guide/LSM/Yama.rst)."""


def probe_ptrace() -> Capability:
    """Trace a child of this process for a moment."""
    from flakehunter.repro import ptrace

    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        ptrace.seize(pid)
    except OSError as error:
        why, hint = _what_forbids()
        return Capability(usable=False, reason=f"ptrace is not allowed here ({error.strerror}): {why}", hint=hint)
    else:
        return Capability(usable=True)
    finally:
        os.kill(pid, 9)
        os.close(writer)
        while os.WIFSTOPPED(os.waitpid(pid, ptrace.WALL)[1]):
            ptrace.go_on(pid)


def _what_forbids() -> tuple[str, str]:
    """Return the likeliest reason why ptrace(2) is refused, and what to do about it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    facts = {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}
    container = "in a container: docker run --cap-add SYS_PTRACE (or --security-opt seccomp=unconfined)"
    if facts.get("TracerPid", "0") != "0":
        return "flakehunter is traced itself", "run it without strace or debugger"
    try:
        scope = YAMA.read_text(encoding="ascii").strip()
    except OSError:
        scope = "0"
    if scope in ("2", "3"):
        wish = "run as root, or " if scope == "2" else ""
        how = "sysctl kernel.yama.ptrace_scope=1" + (" (3 can only be left by a reboot)" if scope == "3" else "")
        return f"kernel.yama.ptrace_scope is {scope}", wish + how
    if facts.get("Seccomp", "0") == "2":
        return "a seccomp filter", container
    return "the kernel or its security module refuses", container


@dataclass(frozen=True)
class Control(PlainStressor):
    """Traces the trial and delays nothing."""

    usage: ClassVar[str] = "control"
    summary: ClassVar[str] = "the tracing supervisor without a delay, to compare delays with"
    needs: ClassVar[str] = "ptrace of own children"

    @classmethod
    def probe(cls) -> Capability:
        """Trace a child for a moment."""
        return probe_ptrace()

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Have the supervisor trace."""
        return replace(trial, trace=True)
