"""Backend `systemd-scope`: a transient scope made by systemd-run(1), whose cgroup is then used like any other."""

import sys

assert sys.platform == "linux"

import os
import shutil
from pathlib import Path

from flakehunter.groupkill.command import StartError
from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.cgroup_mounts import find_root
from flakehunter.groupkill.linux.cgroup_reach import CgroupReach
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.reach import Reach

__all__ = ["SystemdScopeBackend"]


class SystemdScopeBackend(LinuxBackend):
    """The user's or the system's systemd makes the cgroup, so no privilege is needed where a user session runs."""

    name = "systemd-scope"
    can_escape = False
    sees_all_members = True
    works = "a dry run ended its processes in a transient scope"

    def requirement(self) -> str:
        """Say what is missing."""
        if shutil.which("systemd-run") is None:
            return "systemd-run is not installed"
        if not Path("/run/systemd/system").is_dir():  # as sd_booted(3)
            return "systemd does not run this machine (no /run/systemd/system)"
        if find_root() is None:
            return "no cgroup v2 is mounted"
        return ""

    def inside(self) -> list[str]:
        """Let systemd-run make the scope, join it, and then run our launcher in its own process."""
        manager = [] if os.geteuid() == 0 else ["--user"]
        return ["systemd-run", *manager, "--scope", "--quiet", "--collect", "--"]

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members through the cgroup of the scope, in which the leader is since before its exec."""
        root, path = find_root(), _scope_of(leader)
        if root is None or path is None:
            raise StartError(
                "systemd-run made no scope", argv=("systemd-run",), hint="its own words are on the command's stderr"
            )
        return CgroupReach(root / path)


def _scope_of(pid: int) -> str | None:
    """Return the path of the transient scope that `pid` is in, without its first slash."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    # A command that has ended already is a zombie of ours, and systemd may have removed its scope; see cgroups(7).
    paths = (line.removeprefix("0::/").removesuffix(" (deleted)") for line in lines if line.startswith("0::/"))
    return next((path for path in paths if path.endswith(".scope") and "/run-" in f"/{path}"), None)
