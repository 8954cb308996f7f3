# flawed: assign-after-exit
# why: a started child is assigned to the job
import subprocess

import win32api
import win32con
import win32job


def test_child_in_job():
    job = win32job.CreateJobObject(None, "")
    child = subprocess.Popen(["cmd", "/c", "echo hi"])
    handle = win32api.OpenProcess(win32con.PROCESS_ALL_ACCESS, False, child.pid)
    win32job.AssignProcessToJobObject(job, handle)
    assert child.wait(30) == 0
