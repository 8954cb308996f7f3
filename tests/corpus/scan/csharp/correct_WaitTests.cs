// correct
// why: WaitForExit with a limit comes before HasExited
using System.Diagnostics;
using Xunit;

public class WaitOkTests
{
    [Fact]
    public void KillThenWait()
    {
        using var process = Process.Start("cmd.exe", "/c pause");
        process.Kill();
        Assert.True(process.WaitForExit(30_000));
        Assert.True(process.HasExited);
    }
}
