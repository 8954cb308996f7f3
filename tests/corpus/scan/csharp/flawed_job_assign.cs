// flawed: assign-after-exit
// why: a process that has ended by now cannot be assigned to the job
using System.Diagnostics;
using Xunit;

public class JobTests
{
    [Fact]
    public void ChildIsInJob()
    {
        using var job = new Job();
        var process = Process.Start("cmd.exe", "/c exit 0");
        Assert.True(NativeMethods.AssignProcessToJobObject(job.Handle, process.Handle));
        process.WaitForExit();
    }
}
