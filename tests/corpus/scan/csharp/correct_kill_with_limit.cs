// correct
// why: a kill that takes a time limit waits for the end
using System.Diagnostics;
using Xunit;

public class KillTreeTests
{
    [Fact]
    public void KillTreeEndsTheProcess()
    {
        var sleeper = Process.Start("sleep", "600");
        sleeper.KillTree(timeout: 30000);
        Assert.True(sleeper.HasExited);
    }
}
