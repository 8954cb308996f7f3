// correct
// why: a process that has ended is passed over, before and when the call fails
using System.ComponentModel;
using System.Diagnostics;
using Xunit;

public class JobTests
{
    [Fact]
    public void ChildIsInJob()
    {
        using var job = new Job();
        var process = Process.Start("cmd.exe", "/c exit 0");
        try
        {
            job.AssignProcess(process);
        }
        catch (Win32Exception) when (process.HasExited)
        {
            Trace.WriteLine("already exited");
        }
        process.WaitForExit();
    }
}
