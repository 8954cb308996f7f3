// flawed: check-before-exit
// why: Kill() returns before the process has ended
using System.Diagnostics;
using Xunit;

public class RunnerTests
{
    [Fact]
    public void KillEndsProcess()
    {
        using var process = Process.Start("sleep", "30");
        process.Kill();
        Assert.True(process.HasExited);
    }
}
