// flawed: check-before-exit
// why: the job ends its process when it is closed, which takes its time
using System.Diagnostics;
using Xunit;

public class CloseTests
{
    [Fact]
    public void ClosingTheJobEndsItsProcess()
    {
        var worker = Process.Start("ping", "-n 60 127.0.0.1");
        using (var job = Job.Create())
        {
            job.Limit(new Limits { KillOnJobClose = true });
            job.AssignProcess(worker);
        }

        Assert.True(worker.HasExited);
    }
}
