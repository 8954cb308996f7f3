// flawed: check-before-exit
// why: the job is disposed, which kills asynchronously; HasExited at once
using System.Diagnostics;
using Xunit;

public class JobObjectTests
{
    [Fact]
    public void KillThenHasExited()
    {
        var process = Process.Start("cmd.exe", "/c pause");
        process.Kill(entireProcessTree: true);
        Assert.True(process.HasExited);
    }
}
