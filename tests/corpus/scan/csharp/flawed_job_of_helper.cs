// flawed: assign-after-exit
// why: the helper gives back a process that runs for a second, and may have ended before the job takes it
using System.Diagnostics;
using Xunit;

public class JobTests
{
    [Fact]
    public void Counts_its_processes()
    {
        using var process = StartShortProcess("ping -n 2 127.0.0.1");
        using var job = new CountingJob();
        job.AssignProcess(process);
        process.WaitForExit();
        Assert.Equal(1, job.TotalProcesses);
    }
}
