// correct
// why: a child that cannot be taken in is kept, only a comment speaks of fatal errors
using System.Diagnostics;

internal sealed class Sidecar
{
    private readonly JobObject _job = new();

    public Process Start(ProcessStartInfo info)
    {
        var process = Process.Start(info);
        try
        {
            _job.AssignProcess(process.Handle);
        }
        catch
        {
            // Not fatal: Dispose kills it as well as it can.
        }
        return process;
    }
}
