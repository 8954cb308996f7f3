# flawed: assign-after-exit
# why: a child that has ended by now makes AssignProcessToJobObject fail with "Access is denied"
import subprocess
import sys

import win32api
import win32con
import win32job


def test_quick_child_in_job():
    job = win32job.CreateJobObject(None, "")
    proc = subprocess.Popen([sys.executable, "-c", "print('quick')"])
    handle = win32api.OpenProcess(win32con.PROCESS_ALL_ACCESS, False, proc.pid)
    win32job.AssignProcessToJobObject(job, handle)
    proc.wait()
