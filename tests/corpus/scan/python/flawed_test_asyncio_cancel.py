# flawed: check-before-exit
# why: the task is cancelled, which kills the child; its pid is probed without waiting
import asyncio
import os

import pytest


@pytest.mark.asyncio
async def test_kill_ends_child():
    proc = await asyncio.create_subprocess_exec("sleep", "60")
    pid = proc.pid
    proc.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
