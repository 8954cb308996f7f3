# correct
# why: the test signals itself, and no other process
import asyncio
import os
import signal

import pytest


async def test_second_interrupt_raises(app):
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.2)
    assert app.stopping
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
