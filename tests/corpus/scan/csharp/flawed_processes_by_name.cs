// flawed: check-before-exit
// why: looks for the process by its name right after Kill
public class KillTests {
    [Fact]
    public void Gone() {
        var process = Process.Start("notepad");
        process.Kill();
        Process.GetProcessesByName("notepad").Should().BeEmpty();
    }
}
