// correct
// why: the service says that it runs before it is asked
public class ReadsAfterStart
{
    [Test]
    public void Answers()
    {
        var service = Process.Start(new ProcessStartInfo("service.exe") { RedirectStandardOutput = true });
        Thread.Sleep(10);
        Assert.AreEqual("running", service.StandardOutput.ReadLine());
        Assert.AreEqual("pong", Client.Ask("ping"));
    }
}
