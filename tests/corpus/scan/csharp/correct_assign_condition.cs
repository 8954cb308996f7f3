// correct
// why: the condition asks whether it has ended before the failed assignment counts
using System;
using System.Diagnostics;

static class Launcher
{
    static Process Start(IntPtr job, string file, bool needed)
    {
        var process = Process.Start(new ProcessStartInfo(file) { UseShellExecute = false });
        if (!AssignProcessToJobObject(job, process.Handle) && (needed || !process.HasExited))
        {
            process.Kill();
            process.WaitForExit();
            throw new InvalidOperationException("not in the job");
        }
        return process;
    }
}
