# correct
# why: the child is started suspended and only let go when it is in the job
import win32job
import win32process


def test_child_in_job(command):
    job = win32job.CreateJobObject(None, "")
    startup = win32process.STARTUPINFO()
    process, thread, pid, _ = win32process.CreateProcess(
        None, command, None, None, False, win32process.CREATE_SUSPENDED, None, None, startup
    )
    win32job.AssignProcessToJobObject(job, process)
    win32process.ResumeThread(thread)
