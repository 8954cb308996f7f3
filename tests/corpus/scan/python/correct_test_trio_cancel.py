# correct
# why: leaving the nursery waits for the process
import trio


async def test_cancel():
    async with trio.open_nursery() as nursery:
        process = await nursery.start(trio.run_process, ["sleep", "100"])
        nursery.cancel_scope.cancel()
    assert process.returncode is not None
