# correct
# why: the grandchild is polled for to a deadline
import os
import time
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
    deadline = time.monotonic() + 30
    while is_alive(grandchild_pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
