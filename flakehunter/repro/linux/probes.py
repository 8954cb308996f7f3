"""What of the stressors works on this machine, by really trying; the others work on any Linux."""

import sys

assert sys.platform == "linux"

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from flakehunter.repro.linux import ptrace
from flakehunter.repro.linux.loads import available_memory
from flakehunter.repro.linux.quota import make_quota
from flakehunter.repro.stressors.base import Capability

__all__ = ["can"]

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
"""0 to 3; with 0 and 1 own children may be traced (kernel documentation, admin-guide/LSM/Yama.rst)."""


def can(name: str) -> Capability:
    """Return whether the stressor `name` of ours works on this machine."""
    probe = PROBES.get(name)
    return Capability(usable=True) if probe is None else probe()


def _ptrace() -> Capability:
    """Trace a child of this process for a moment."""
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


def _stress_ng() -> Capability:
    if shutil.which("stress-ng") is None:
        return Capability(usable=False, reason="stress-ng is not installed (Debian: apt install stress-ng)")
    return Capability(usable=True)


def _quota() -> Capability:
    """Make a cgroup with a quota and remove it."""
    try:
        errors = make_quota(10.0).remove()
    except OSError as error:
        return Capability(usable=False, reason=f"no cgroup with a quota can be made: {error.strerror}")
    return Capability(usable=not errors, reason="; ".join(errors))


def _demote() -> Capability:
    return _in_child(lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)), "SCHED_IDLE")


def _preempt() -> Capability:
    return _in_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)), "SCHED_FIFO")


def _in_child(deed: Callable[[], object], name: str) -> Capability:
    """Find out in a child process, so that nothing stays, whether `deed` is allowed; `name` is what it asks for."""
    pid = os.fork()
    if pid == 0:
        try:
            deed()
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    number = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Capability(usable=number == 0, reason="" if number == 0 else f"{name}: {os.strerror(number)}")


def _memory() -> Capability:
    """Ask how much is available."""
    try:
        known = available_memory() > 0
    except OSError as error:
        return Capability(usable=False, reason=f"/proc/meminfo: {error.strerror}")
    return Capability(usable=known, reason="" if known else "/proc/meminfo does not say what is available")


PROBES: Mapping[str, Callable[[], Capability]] = {
    "control": _ptrace,
    "delay": _ptrace,
    "stress-ng": _stress_ng,
    "quota": _quota,
    "demote": _demote,
    "preempt": _preempt,
    "memory": _memory,
}
