"""asyncio: SIGTERM to the group, wait for the leader, look at the grandchild until it is gone, for at most 5 s."""

import asyncio
import os
import signal
import sys
from pathlib import Path

# The shell names the grandchild only once it is `sleep`, so that the signal never meets a half-made process. Its
# output goes elsewhere, since asyncio's wait() also waits for the end of the output.
GROUP = 'sleep 30 >/dev/null & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait'


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


async def main() -> None:
    """Run the test."""
    leader = await asyncio.create_subprocess_exec(
        "bash", "-c", GROUP, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    grandchild = int(await leader.stdout.readline())
    os.killpg(leader.pid, signal.SIGTERM)
    await leader.wait()
    try:
        async with asyncio.timeout(5):
            while not gone(grandchild):
                await asyncio.sleep(0.01)
    except TimeoutError:
        sys.exit(f"process {grandchild} (sleep 30) is still alive after 5 s")


asyncio.run(main())
