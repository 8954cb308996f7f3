// flawed: check-before-exit
// why: a cancelled token kills the process; HasExited at once
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

public class CancelTests
{
    [Fact]
    public async Task CancelKills()
    {
        using var cts = new CancellationTokenSource();
        using var process = new Process { StartInfo = new ProcessStartInfo("sleep", "60") };
        process.Start();
        cts.Token.Register(() => process.Kill());
        cts.Cancel();
        Assert.True(process.HasExited);
        await Task.CompletedTask;
    }
}
