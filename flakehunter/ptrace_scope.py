"""Why the kernel does not let a process trace its own children, and what to do about it; Linux."""

from pathlib import Path

__all__ = ["why_refused"]

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
"""0 to 3. With 0 and 1 own children may be traced, with 2 only by who has CAP_SYS_PTRACE, with 3 by nobody, and 3 stays
until the next boot (kernel documentation, admin-guide/LSM/Yama.rst)."""


def why_refused() -> tuple[str, str]:
    """Return the likeliest reason why ptrace(2) is refused here, and what to do about it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    facts = {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}
    container = "in a container: docker run --cap-add SYS_PTRACE (or --security-opt seccomp=unconfined)"
    if facts.get("TracerPid", "0") != "0":
        return "flakehunter is traced itself", "run it without strace or debugger"
    try:
        scope = YAMA.read_text(encoding="ascii").strip()
    except OSError:
        scope = "0"
    if scope == "2":
        return "kernel.yama.ptrace_scope is 2", "as root, sysctl kernel.yama.ptrace_scope=1; or run flakehunter as root"
    if scope == "3":
        how = "boot with kernel.yama.ptrace_scope=1 in /etc/sysctl.d: 3 forbids it to all and stays to the next boot"
        return "kernel.yama.ptrace_scope is 3", how
    if facts.get("Seccomp", "0") == "2":
        return "a seccomp filter", container
    return "the kernel or its security module refuses", container
