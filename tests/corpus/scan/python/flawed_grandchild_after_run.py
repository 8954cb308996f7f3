# flawed: check-before-exit
# why: the runner's end is waited for, but init reaps the grandchild some time later
import os
from pathlib import Path

from build import start_build


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_time_limit_ends_the_whole_build(tmp_path: Path) -> None:
    build = start_build(tmp_path, limit_s=1)
    grandchild_pid = int((tmp_path / "compiler.pid").read_text())
    build.wait_for_completion()
    assert not is_alive(grandchild_pid)
