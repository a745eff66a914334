using System.Collections.Concurrent;
using System.Diagnostics;

namespace VmoCluster.Harness;

/// <summary>
/// Starts processes that end with the process that runs the tests, however that ends, and on request inside a participant of a
/// <see cref="NetworkLab"/>. The id is the program's own: what stands before it on the command line replaces itself by it.
/// </summary>
public static class ChildProcess
{
    private static readonly bool CanFollow = Tools.IsThere("setpriv");
    private static readonly BlockingCollection<Action> Asked = [];
    private static readonly Thread Starter = NewStarter();

    /// <summary>Starts one. Its command line is changed to what stands before it.</summary>
    public static Process Start(ProcessStartInfo start, LabHost? host = null)
    {
        if (host is not null)
            Wrap(start, "nsenter", $"--net={host.NamespaceFile}", "--");
        if (CanFollow)
            Wrap(start, "setpriv", "--pdeathsig", "KILL", "--");
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Asked.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start."));
            }
            catch (Exception failure)
            {
                // Whatever it is, it is the caller's; this thread has to live on.
                started.SetException(failure);
            }
        });
        return started.Task.GetAwaiter().GetResult();
    }

    private static void Wrap(ProcessStartInfo start, string program, params string[] before)
    {
        if (start.Arguments.Length > 0)
            throw new ArgumentException("Arguments are given as a list.", nameof(start));
        List<string> arguments = [.. before, start.FileName, .. start.ArgumentList];
        start.FileName = program;
        start.ArgumentList.Clear();
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
    }

    // The kernel sends the signal when the thread that started the child ends, not the process. A pool's thread may end at any time, so
    // there is one that never does.
    private static Thread NewStarter()
    {
        var thread = new Thread(() =>
        {
            foreach (var start in Asked.GetConsumingEnumerable())
                start();
        })
        { IsBackground = true, Name = "child processes" };
        thread.Start();
        return thread;
    }
}
