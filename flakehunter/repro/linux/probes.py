"""What of the stressors works on this machine, by really trying; the others work on any Linux."""

import sys

assert sys.platform == "linux"

import os
import shutil
from collections.abc import Callable, Mapping

from flakehunter.ptrace_scope import why_refused
from flakehunter.repro.linux import ptrace
from flakehunter.repro.linux.loads import available_memory
from flakehunter.repro.linux.quota import make_quota
from flakehunter.repro.stressors.base import Capability

__all__ = ["can"]

GIVE_CGROUP = "run as root, or in a leaf of a cgroup that is delegated with the cpu controller (cgroups(7), Delegation)"


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
        why, hint = why_refused()
        return Capability(usable=False, reason=f"ptrace is not allowed here ({error.strerror}): {why}", hint=hint)
    else:
        return Capability(usable=True)
    finally:
        os.kill(pid, 9)
        os.close(writer)
        while os.WIFSTOPPED(os.waitpid(pid, ptrace.WALL)[1]):
            ptrace.go_on(pid)


def _stress_ng() -> Capability:
    if shutil.which("stress-ng") is None:
        return Capability(usable=False, reason="stress-ng is not installed (Debian: apt install stress-ng)")
    return Capability(usable=True)


def _quota() -> Capability:
    """Make a cgroup with a quota and remove it."""
    try:
        errors = make_quota(10.0).remove()
    except OSError as error:
        reason = f"no cgroup with a quota can be made: {error.strerror}"
        return Capability(usable=False, reason=reason, hint=GIVE_CGROUP if os.geteuid() else "")
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
