// flawed: deadline-too-short
// why: 100 ms are less than a loaded machine needs
using System.Diagnostics;
using Microsoft.VisualStudio.TestTools.UnitTesting;

[TestClass]
public class AgentTests
{
    [TestMethod]
    public void StopsQuickly()
    {
        var agent = Process.Start("agent");
        agent.Kill();
        Assert.IsTrue(agent.WaitForExit(100), "agent did not stop");
    }
}
