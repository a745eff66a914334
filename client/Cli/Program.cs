using System.Runtime.InteropServices;
using VmoCluster.Cli;

// The first Ctrl-C lets the command put things right (close what is half-made, remove a temporary file); a second one ends it at once.
using var stop = new CancellationTokenSource();
void End(PosixSignalContext context)
{
    context.Cancel = !stop.IsCancellationRequested;
    if (context.Cancel)
        _ = stop.CancelAsync();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, End);
return await new CommandLine(Surroundings.OfProcess()).RunAsync(args, stop.Token);
