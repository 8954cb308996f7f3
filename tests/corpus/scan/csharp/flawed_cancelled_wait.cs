// flawed: deadline-too-short
// why: the token cancels the wait after a second
public class KillTests {
    [Fact]
    public async Task Ends() {
        using var process = Process.Start(info)!;
        await process.StandardOutput.ReadLineAsync();
        process.Kill(entireProcessTree: true);
        using var cts = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await process.WaitForExitAsync(cts.Token);
    }
}
