"""Find where cgroups are mounted and which of them this process is in; see cgroups(7) and proc_pid_mountinfo(5)."""

import sys

assert sys.platform == "linux"

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CGROUP2_MAGIC",
    "CgroupMount",
    "find_freezer",
    "find_lineage",
    "find_root",
    "find_unified",
    "find_version1",
    "parse_mountinfo",
]

CGROUP2_MAGIC = 0x63677270


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """A mounted hierarchy: `point` is where, `root` which part of it, `controllers` is empty for version 2."""

    point: Path
    root: str
    version: int
    controllers: frozenset[str]


def _unescape(text: str) -> str:
    """Undo mountinfo's octal escapes of blank, tab, line feed and backslash."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return text


def parse_mountinfo(text: str) -> list[CgroupMount]:
    """Return the cgroup mounts among the lines of /proc/self/mountinfo."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(tail) < 3 or tail[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if tail[0] == "cgroup2" else 1
        controllers = frozenset(tail[2].split(",")) - {"rw", "ro"} if version == 1 else frozenset()
        mounts.append(CgroupMount(Path(_unescape(fields[4])), _unescape(fields[3]), version, controllers))
    return mounts


def _mounts() -> list[CgroupMount]:
    try:
        return parse_mountinfo(Path("/proc/self/mountinfo").read_text())
    except OSError:
        return []


def _own_path(mount: CgroupMount) -> Path | None:
    """Return the folder of the cgroup that this process is in, or None when this mount does not show it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        matches = not controllers if mount.version == 2 else mount.controllers & set(controllers.split(","))
        if not matches:
            continue
        if mount.root == "/":
            return mount.point / path.lstrip("/")
        if path == mount.root or path.startswith(mount.root + "/"):
            return mount.point / path[len(mount.root) :].lstrip("/")
        return mount.point if path == "/" else None
    return None


class _Statfs(ctypes.Structure):
    _fields_ = (("f_type", ctypes.c_long), ("rest", ctypes.c_char * 248))


def _is_cgroup2(folder: Path) -> bool:
    """Whether that folder really is on a cgroup v2 file system.

    /sys/fs/cgroup may be a tmpfs: writing to a `cgroup.procs` there "works" and does nothing.
    """
    result = _Statfs()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(folder), ctypes.byref(result)) != 0:
        return False
    return bool(result.f_type == CGROUP2_MAGIC)


def find_unified() -> Path | None:
    """Return the folder of our own cgroup v2, also on hybrid systems; None when there is none."""
    for mount in _mounts():
        if mount.version == 2:
            folder = _own_path(mount)
            if folder is not None and folder.is_dir() and _is_cgroup2(folder):
                return folder
    return None


def find_lineage() -> list[Path]:
    """Return our own cgroup v2 and those above it as far as they are mounted; the root alone where ours is not seen."""
    own = find_unified() or find_root()
    if own is None:
        return []
    lineage = [own]
    while _is_cgroup2(lineage[-1].parent):
        lineage.append(lineage[-1].parent)
    return lineage


def find_root() -> Path | None:
    """Return where the whole cgroup v2 hierarchy is mounted; None when there is none."""
    return next((mount.point for mount in _mounts() if mount.version == 2 and mount.root == "/"), None)


def find_version1(controller: str) -> Path | None:
    """Return the folder of our own cgroup in the v1 hierarchy of `controller`; None when there is none."""
    for mount in _mounts():
        if mount.version == 1 and controller in mount.controllers:
            folder = _own_path(mount)
            if folder is not None and folder.is_dir():
                return folder
    return None


def find_freezer() -> Path | None:
    """Return the folder of our own cgroup in the v1 freezer hierarchy; None when there is none."""
    return find_version1("freezer")
