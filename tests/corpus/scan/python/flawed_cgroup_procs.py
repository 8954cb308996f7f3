# flawed: assign-after-exit
# why: writing the pid of a child that has ended to cgroup.procs fails with ESRCH
import subprocess
from pathlib import Path


def test_limits(cgroup: Path):
    child = subprocess.Popen(["./allocate", "64M"])
    (cgroup / "cgroup.procs").write_text(str(child.pid))
    assert child.wait() == 0
