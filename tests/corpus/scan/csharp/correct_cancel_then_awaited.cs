// correct
// why: the watcher is cancelled and awaited: it ends its processes before it says so
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

public class WatchTests
{
    [Fact]
    public async Task CancelEndsTheWatchedProcess()
    {
        var cancellation = new CancellationTokenSource();
        var watch = Watcher.Run(cancellation.Token);
        var process = await Watcher.FirstProcess();
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<System.OperationCanceledException>(() => watch);
        Assert.True(process.HasExited);
    }
}
