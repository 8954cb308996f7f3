// flawed: fixed-sleep
// why: Thread.Sleep after StopAsync, then GetProcessById must throw
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;

public class StopTests
{
    [Test]
    public async Task StopEndsTheWorker()
    {
        var host = await WorkerHost.StartAsync();
        var pid = host.ProcessId;
        await host.StopAsync();
        Thread.Sleep(500);
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(pid));
    }
}
