// flawed: check-before-exit
// why: somebody ends it by its name, and it has to be gone at once
using System.Diagnostics;
using NUnit.Framework;

public class KillerTests
{
    [Test]
    public void EndsByName()
    {
        var process = new Process();
        process.StartInfo = new ProcessStartInfo { FileName = "notepad.exe" };
        process.Start();

        new ProcessKiller().Kill("notepad");

        Assert.That(process.HasExited, Is.True);
    }
}
