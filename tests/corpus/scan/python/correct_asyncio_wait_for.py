# correct
# why: the wait is awaited, with a generous limit
import asyncio


async def test_cancel():
    proc = await asyncio.create_subprocess_exec("sleep", "60")
    proc.terminate()
    await asyncio.wait_for(proc.wait(), timeout=10)
    assert proc.returncode is not None
