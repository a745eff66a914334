using System.Diagnostics;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>Other programs.</summary>
internal static class Tools
{
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
