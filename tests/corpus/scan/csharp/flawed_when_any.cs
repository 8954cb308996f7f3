// flawed: deadline-too-short
// why: races the exit against a second, and then demands the exit
public class StopTests {
    [Fact]
    public async Task Stops() {
        var process = Process.Start(info)!;
        await process.StandardOutput.ReadLineAsync();
        process.Kill();
        var done = await Task.WhenAny(process.WaitForExitAsync(), Task.Delay(1000));
        Assert.True(process.HasExited);
    }
}
