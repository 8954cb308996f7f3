# correct
# why: sleep handles no signal, so it is ended by this one whenever it comes; and the second wait is for ourselves
import asyncio
import os
import signal

import pytest


async def test_is_ended_by_the_signal():
    proc = await asyncio.create_subprocess_exec("sleep", "30")
    await asyncio.sleep(0.1)
    proc.send_signal(signal.SIGUSR1)
    await proc.wait()
    assert proc.returncode == -signal.SIGUSR1


def test_interrupt_reaches_ourselves():
    own = os.pidfd_open(os.getpid())
    with pytest.raises(KeyboardInterrupt):
        signal.pidfd_send_signal(own, signal.SIGINT)
