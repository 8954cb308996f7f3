"""anyio: SIGTERM to a child whose clean-up takes 20 ms, wait() under move_on_after(5)."""

import sys

import anyio

# The child blocks SIGTERM and takes it with sigwait: there is no moment at which the signal could be lost.
CHILD = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
time.sleep(0.02)  # the clean-up
"""


async def main() -> None:
    """Run the test."""
    async with await anyio.open_process([sys.executable, "-I", "-S", "-c", CHILD], stdin=None, stderr=None) as child:
        await child.stdout.receive()
        child.terminate()
        with anyio.move_on_after(5):
            await child.wait()
        ended = child.returncode is not None
    if not ended:
        sys.exit(f"process {child.pid} has not ended after 5 s")


anyio.run(main)
