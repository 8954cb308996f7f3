// correct
// why: RunToCompletion says that it waits for the end
public class JobTests
{
    [Fact]
    public void Kill_ends_the_job()
    {
        using var job = new Job(CreateStartInfo());
        job.Run();
        job.Kill();
        job.RunToCompletion();
        Assert.True(job.HasExited);
    }
}
