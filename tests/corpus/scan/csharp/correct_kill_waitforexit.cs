// correct
// why: WaitForExit() returns after the end
using System.Diagnostics;
using Xunit;

public class RunnerTests
{
    [Fact]
    public void KillEndsProcess()
    {
        using var process = Process.Start("sleep", "30");
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        Assert.True(process.HasExited);
    }
}
