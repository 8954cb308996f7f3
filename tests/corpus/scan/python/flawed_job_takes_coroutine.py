# flawed: assign-after-exit
# why: what cannot be taken in because it has ended already makes the start fail
import asyncio
import sys


async def start(program, *arguments):
    job = JobObject.create() if sys.platform == "win32" else None
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.PIPE)
    if job is not None:
        job.assign_process(process.pid)
    return Running(process, job)
