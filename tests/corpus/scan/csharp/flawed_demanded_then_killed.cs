// flawed: deadline-too-short
// why: the assertion fails after a second; that the child is killed afterwards is only cleaning up
public class HelperTests
{
    [Test]
    public void HelperEnds()
    {
        using var helper = Process.Start("helper", "--once");
        try
        {
            Assert.That(helper.WaitForExit(1000), Is.True);
        }
        finally
        {
            if (!helper.HasExited)
            {
                helper.Kill();
                helper.WaitForExit();
            }
        }
    }
}
