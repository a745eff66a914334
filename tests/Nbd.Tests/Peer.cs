using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
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

    /// <summary>What a context says of a disk's stretches, as nbdinfo shows it.</summary>
    public static async Task<List<(ulong Start, ulong Length, uint Status)>> MapAsync(string uri, string context) =>
        [.. JsonDocument.Parse(await RunAsync("nbdinfo", ["--json", $"--map={context}", uri])).RootElement.EnumerateArray()
            .Select(extent => (extent.GetProperty("offset").GetUInt64(), extent.GetProperty("length").GetUInt64(), extent.GetProperty("type").GetUInt32()))];

    /// <summary>What a file holds, in short.</summary>
    public static async Task<string> HashAsync(string path)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexString(await SHA256.HashDataAsync(file));
    }
}
