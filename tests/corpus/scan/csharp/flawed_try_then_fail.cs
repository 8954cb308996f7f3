// flawed: fixed-sleep
// why: a second after it was stopped the process has to be gone: who finds it comes to the failure below
using System.Diagnostics;
using System.Threading.Tasks;
using NUnit.Framework;

public class ShellTests
{
    [Test]
    public async Task LateCommandIsEnded()
    {
        var result = await new Shell(limitSeconds: 4).ExecuteAsync("ping -n 100 127.0.0.1");
        await Task.Delay(1000);
        try
        {
            using var found = Process.GetProcessById(result.ProcessId);
        }
        catch (System.ArgumentException)
        {
            return;
        }
        Assert.Fail("the command lives on");
    }
}
