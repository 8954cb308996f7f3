// flawed: deadline-too-short
// why: nobody would wait with a limit if Stop() waited, and a second is too short
public class KillTests {
    [Test]
    public void Ends() {
        using var process = Process.Start(info)!;
        service.Stop();
        Assert.That(process.WaitForExit(1000), Is.True);
    }
}
