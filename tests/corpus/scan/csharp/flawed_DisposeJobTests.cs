// flawed: assign-after-exit
// why: a running process is assigned and must not have ended
using System.Diagnostics;
using Xunit;

public class DisposeJobTests
{
    [Fact]
    public void AssignsShortProcess()
    {
        using var job = new JobObject();
        using var process = Process.Start(new ProcessStartInfo("cmd.exe", "/c exit 0"));
        job.AssignProcess(process);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
