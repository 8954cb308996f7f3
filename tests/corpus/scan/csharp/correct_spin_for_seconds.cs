// correct
// why: the helper counts in seconds, nobody spins for five milliseconds
using System.Diagnostics;
using System.Threading.Tasks;
using Xunit;

public class WorkerTests
{
    [Fact]
    public async Task Ends_when_killed()
    {
        var worker = new Worker(path);
        await worker.Start();
        await worker.Kill();
        Assert.True(await ProcessTools.SpinUntilExit(worker, 5));
    }
}
