using System.Diagnostics;
using System.Runtime.InteropServices;
using VmoCluster.Cli;

// The first Ctrl-C lets the command put things right (close what is half-made, remove a temporary file); another one ends it at once. What
// comes within a second is the same wish: timeout(1) and many a wrapper send a signal to the process and to its group.
using var stop = new CancellationTokenSource();
var asked = 0L;
void End(PosixSignalContext context)
{
    var first = Interlocked.CompareExchange(ref asked, Stopwatch.GetTimestamp(), 0);
    context.Cancel = first == 0 || Stopwatch.GetElapsedTime(first) < TimeSpan.FromSeconds(1);
    if (first == 0)
        _ = stop.CancelAsync();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, End);
return await new CommandLine(Surroundings.OfProcess()).RunAsync(args, stop.Token);
