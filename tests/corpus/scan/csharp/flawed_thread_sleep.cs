// flawed: fixed-sleep
// why: Thread.Sleep stands for WaitForExit
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

[TestFixture]
public class ServerTests
{
    private Process _server;

    [SetUp]
    public void Start()
    {
        _server = Process.Start(new ProcessStartInfo("server.exe") { UseShellExecute = false });
        WaitForPort(5000);
    }

    [Test]
    public void StopsOnKill()
    {
        _server.Kill();
        Thread.Sleep(200);
        Assert.That(_server.HasExited, Is.True);
    }
}
