# flawed: check-before-exit
# why: returncode is only set when the event loop has reaped the child
import asyncio


async def test_cancel():
    proc = await asyncio.create_subprocess_exec("sleep", "60")
    proc.terminate()
    assert proc.returncode is not None
