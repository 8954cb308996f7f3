// correct
// why: WaitForExitAsync is awaited after the cancellation
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

public class CancelTests
{
    [Fact]
    public async Task CancelEndsProcess()
    {
        using var cts = new CancellationTokenSource();
        using var process = Process.Start("sleep", "100");
        cts.Token.Register(() => process.Kill());
        cts.Cancel();
        await process.WaitForExitAsync();
        Assert.True(process.HasExited);
    }
}
