using System.Diagnostics;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>Other programs, and waiting for them.</summary>
internal static class Tools
{
    /// <summary>Polls until something is so; what was missing is in the failure.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> isSo)
    {
        var begun = Stopwatch.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(2), $"not within 2 min: {what}");
            await Task.Delay(20);
        }
    }

    /// <summary>Runs a program that must succeed; its stdout is given.</summary>
    public static async Task<string> RunAsync(string program, params string[] args)
    {
        using var tool = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (tool.StandardOutput.ReadToEndAsync(), tool.StandardError.ReadToEndAsync());
        await tool.WaitForExitAsync();
        Assert.True(tool.ExitCode == 0, $"{program} {string.Join(' ', args)}: {tool.ExitCode}: {await error}");
        return await output;
    }
}
