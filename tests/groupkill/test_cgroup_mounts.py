"""Cgroup mounts of other machines than this one, and the lineage of a cgroup on this one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flakehunter.groupkill.linux.cgroup_mounts import find_unified, parse_mountinfo
from flakehunter.groupkill.linux.cgroup_reach import make_group, remove_tree

UNIFIED = "34 25 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = """31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
CONTAINER = "900 800 0:29 /docker/4f2a /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
BLANK = "41 31 0:38 / /mnt/a\\040b rw - cgroup2 cgroup2 rw\n"


def test_a_unified_system_has_one_mount() -> None:
    (mount,) = parse_mountinfo(UNIFIED)
    assert (mount.point, mount.root, mount.version) == (Path("/sys/fs/cgroup"), "/", 2)


def test_a_hybrid_system_has_version_2_beside_the_controllers() -> None:
    mounts = parse_mountinfo(HYBRID)
    assert [mount.version for mount in mounts] == [1, 1, 2]
    assert mounts[0].controllers == {"freezer"}
    assert mounts[1].controllers == {"cpu", "cpuacct"}
    assert mounts[2].point == Path("/sys/fs/cgroup/unified")


def test_a_container_sees_a_part_of_the_hierarchy() -> None:
    (mount,) = parse_mountinfo(CONTAINER)
    assert mount.root == "/docker/4f2a"


def test_blanks_in_a_mount_point_are_escaped_in_octal() -> None:
    (mount,) = parse_mountinfo(BLANK)
    assert mount.point == Path("/mnt/a b")


LINEAGE = """
import sys
from pathlib import Path
from flakehunter.groupkill.linux.cgroup_mounts import find_lineage
Path(sys.argv[1], "cgroup.procs").write_text("0")
print(*find_lineage(), sep="\\n")
"""


def test_a_cgroup_is_followed_up_to_where_it_is_mounted() -> None:
    above = find_unified()
    if above is None or not os.access(above, os.W_OK):
        pytest.skip("no cgroup v2 that can be written")
    folder = make_group(above, "lineage")
    try:
        (folder / "leaf").mkdir()
        done = subprocess.run(
            [sys.executable, "-c", LINEAGE, folder / "leaf"], capture_output=True, text=True, check=True
        )
    finally:
        errors = remove_tree(folder, time.monotonic() + 10)
    lineage = [Path(line) for line in done.stdout.splitlines()]
    assert lineage[:3] == [folder / "leaf", folder, above]
    assert lineage[-1].is_mount()
    assert errors == []
