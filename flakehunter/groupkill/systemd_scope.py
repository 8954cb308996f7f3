"""Backend `systemd-scope`: a transient scope made by systemd-run(1), whose cgroup is then used like any other."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from flakehunter.groupkill.arguments import check_argv
from flakehunter.groupkill.backend import ProcessGroup, StartError, Stream
from flakehunter.groupkill.cgroup_mounts import find_root
from flakehunter.groupkill.cgroup_reach import CgroupReach
from flakehunter.groupkill.linux_backend import LinuxBackend
from flakehunter.groupkill.linux_group import Reach
from flakehunter.groupkill.marks import Mark

__all__ = ["SystemdScopeBackend"]

REGISTRATION_TIMEOUT_S = 10.0


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
        if not Path("/run/systemd/system").is_dir():
            return "systemd does not run this machine (no /run/systemd/system)"
        if find_root() is None:
            return "no cgroup v2 is mounted"
        return ""

    def options(self, name: str) -> list[str]:
        """Lead a new process group; systemd-run joins the scope."""
        return ["--new=group"]

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pty: bool = False,
        text: bool = False,
    ) -> ProcessGroup:
        """Start a command in a scope; systemd-run replaces itself by the command once the scope is there."""
        command = check_argv(argv)
        missing = self.requirement()
        if missing:
            raise StartError(missing, argv=command, hint="see `flakehunter backends` for those that work here")
        manager = [] if os.geteuid() == 0 else ["--user"]
        scope = ["systemd-run", *manager, "--scope", "--quiet", "--collect", "--", *command]
        return super().spawn(scope, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env, pty=pty, text=text)

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Wait until the leader is in its scope, and reach the members through its cgroup."""
        root = find_root()
        deadline = time.monotonic() + REGISTRATION_TIMEOUT_S
        while root is not None and time.monotonic() < deadline:
            for line in _read_cgroup(leader):
                if line.startswith("0::") and line.endswith(".scope") and "/run-" in line:
                    return CgroupReach(root / line[4:])
            time.sleep(0.005)
        os.kill(leader, 9)  # unreaped, so the pid is its own
        raise StartError(
            f"systemd-run made no scope in {REGISTRATION_TIMEOUT_S:g} s", argv=("systemd-run",), hint="see its stderr"
        )


def _read_cgroup(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
