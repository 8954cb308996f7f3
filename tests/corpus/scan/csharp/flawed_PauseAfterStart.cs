// flawed: fixed-sleep
// why: a second stands for the service answering
public class PauseAfterStart
{
    [Test]
    public void Answers()
    {
        var service = Process.Start("service.exe", "--memory");
        Thread.Sleep(1000);
        Assert.AreEqual("pong", Client.Ask("ping"));
    }
}
