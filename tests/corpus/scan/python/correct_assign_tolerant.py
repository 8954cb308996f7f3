# correct
# why: the error of a child that has ended is looked at and passed over
import subprocess

import pywintypes
import win32job


def assign(job, proc):
    if proc.poll() is not None:
        return
    try:
        win32job.AssignProcessToJobObject(job, int(proc._handle))
    except pywintypes.error as error:
        if error.winerror != 5 or proc.wait(timeout=10) is None:
            raise


def test_job(job):
    proc = subprocess.Popen(["cmd", "/c", "exit", "0"])
    assign(job, proc)
    assert proc.wait() == 0
