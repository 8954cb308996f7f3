// correct
// why: SpinUntil repeats the look for ten seconds
using System;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

[TestFixture]
public class ServerTests
{
    [Test]
    public void StopsOnKill()
    {
        var server = Process.Start("server.exe");
        server.Kill();
        Assert.That(SpinWait.SpinUntil(() => server.HasExited, TimeSpan.FromSeconds(10)), Is.True);
    }
}
