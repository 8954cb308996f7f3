// flawed: fixed-sleep
// why: Task.Delay after taskkill
using System.Diagnostics;
using System.Threading.Tasks;
using Xunit;

public class TaskKillTests
{
    [Fact]
    public async Task TaskkillEndsIt()
    {
        using var process = Process.Start("cmd.exe", "/c pause");
        Process.Start("taskkill", $"/F /PID {process.Id}").WaitForExit();
        await Task.Delay(200);
        Assert.True(process.HasExited);
    }
}
