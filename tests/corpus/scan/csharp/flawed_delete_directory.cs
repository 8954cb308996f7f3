// flawed: resource-still-held
// why: the killed process may still hold its log file open
using System.Diagnostics;
using System.IO;
using Xunit;

public class LogTests
{
    [Fact]
    public void RemovesLogs()
    {
        var logDir = Directory.CreateTempSubdirectory().FullName;
        var process = Process.Start("agent.exe", $"--log {logDir}");
        WaitForFile(Path.Combine(logDir, "agent.log"));
        process.Kill();
        Directory.Delete(logDir, true);
    }
}
