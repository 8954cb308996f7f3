// flawed: check-before-exit
// why: NUnit's constraint form, right after Kill
public class KillTests {
    [Test]
    public void Gone() {
        var process = Process.Start("ping", "-t localhost");
        process.Kill();
        Assert.That(process.HasExited, Is.True);
    }
}
