"""End a whole group of processes, wait until it is really gone, and report every member.

    from flakehunter.groupkill import spawn

    with spawn(["npm", "test"]) as group:
        ...
        report = group.terminate(grace_s=2)
        assert report.clean, report.survivors

Names are imported on first use: the supervisor of each group imports from this package and has to start quickly.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flakehunter.groupkill.aio import AsyncProcessGroup, spawn_async
    from flakehunter.groupkill.api import spawn
    from flakehunter.groupkill.backend import BackendUnusableError, GroupKillBackend, ProcessGroup
    from flakehunter.groupkill.base import Backend
    from flakehunter.groupkill.choice import choose, probe_all
    from flakehunter.groupkill.command import Command, SpawnOptions, StartError
    from flakehunter.groupkill.gone import GoneReport, NotGoneError, assert_gone, wait_gone
    from flakehunter.groupkill.report import Capability, Escalation, KillReport, Member

_HOMES = {
    "AsyncProcessGroup": "aio",
    "Backend": "base",
    "BackendUnusableError": "backend",
    "Capability": "report",
    "Command": "command",
    "Escalation": "report",
    "GroupKillBackend": "backend",
    "KillReport": "report",
    "Member": "report",
    "GoneReport": "gone",
    "NotGoneError": "gone",
    "ProcessGroup": "backend",
    "SpawnOptions": "command",
    "StartError": "command",
    "assert_gone": "gone",
    "choose": "choice",
    "probe_all": "choice",
    "spawn": "api",
    "spawn_async": "aio",
    "wait_gone": "gone",
}

__all__ = [
    "AsyncProcessGroup",
    "Backend",
    "BackendUnusableError",
    "Capability",
    "Command",
    "Escalation",
    "GoneReport",
    "GroupKillBackend",
    "KillReport",
    "Member",
    "NotGoneError",
    "ProcessGroup",
    "SpawnOptions",
    "StartError",
    "assert_gone",
    "choose",
    "probe_all",
    "spawn",
    "spawn_async",
    "wait_gone",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
