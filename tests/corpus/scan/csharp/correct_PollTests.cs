// correct
// why: polls HasExited until a deadline
using System;
using System.Diagnostics;
using System.Threading.Tasks;
using Xunit;

public class PollOkTests
{
    [Fact]
    public async Task DisposeEndsTheProcess()
    {
        var session = Session.Start();
        using var process = Process.GetProcessById(session.ProcessId);
        session.Dispose();
        var deadline = DateTime.UtcNow + TimeSpan.FromSeconds(15);
        while (!process.HasExited && DateTime.UtcNow < deadline)
        {
            await Task.Delay(50);
        }
        Assert.True(process.HasExited);
    }
}
