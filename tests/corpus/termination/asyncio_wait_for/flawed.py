"""asyncio: SIGTERM to a child whose clean-up takes 20 ms, wait_for(wait(), 0.15)."""

import asyncio
import sys

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
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", CHILD, stdout=asyncio.subprocess.PIPE
    )
    await child.stdout.readline()
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), 0.15)
    except TimeoutError:
        await child.wait()
        sys.exit(f"process {child.pid} has not ended after 0.15 s")


asyncio.run(main())
