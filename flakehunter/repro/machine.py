"""Facts of this machine that a failure rate depends on."""

import os
import platform
from pathlib import Path
from typing import Any

from flakehunter.repro.rooms import here


def machine_facts() -> dict[str, Any]:
    """Return cpus, load, kernel, autogroup, who reaps orphans, and the Python that runs flakehunter."""
    facts: dict[str, Any] = {
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "autogroup": _read("/proc/sys/kernel/sched_autogroup_enabled") == "1",
        "pid1": _read("/proc/1/comm"),
        "orphans_reaped_by": here.ORPHANS,
    }
    if hasattr(os, "getloadavg"):
        facts["load"] = [round(value, 2) for value in os.getloadavg()]
    return facts


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
