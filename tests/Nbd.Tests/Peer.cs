using System.Diagnostics;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>A peer's program, run to its end.</summary>
internal static class Peer
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Runs it and gives what it printed. Throws when its exit code is another than expected.</summary>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, int code = 0)
    {
        var what = $"{program} {string.Join(' ', arguments)}";
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = ChildProcess.Start(start);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{what} did not end; it printed: {await output}{await error}");
        }

        var said = await output + await error;
        return process.ExitCode == code ? said : throw new InvalidOperationException($"{what} ended with {process.ExitCode}: {said}");
    }
}
