using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Docs;

/// <summary>The README's cluster on one machine, typed here; only its ports are moved out of the way.</summary>
public sealed partial class ReadmeClusterTests
{
    [Fact]
    public async Task Three_nodes_over_one_Redis_start_and_are_used_as_the_README_says()
    {
        var (start, use) = (Readme.Block("three nodes"), Readme.Block("three nodes, used"));
        var free = FreePorts(start);
        using var folder = new ReadmeFolder();
        // A terminal stays open when its commands are in the background; this one ends with them all.
        await using var terminal = RunningProgram.Start(
            "the README's cluster", folder.Path, ["bash", "-c", Move(start, free) + "\nwait"], new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" });
        var listening = Listening().Matches(start).Select(m => free[m.Groups[1].Value]).ToList();
        Assert.Equal(3, listening.Count);
        foreach (var port in listening)
            await terminal.WaitForLineAsync($"ready endpoint=http://127.0.0.1:{port} ", TimeSpan.FromMinutes(2));

        var (code, output) = await folder.RunAsync(Move(use, free), new Dictionary<string, string>());
        Assert.True(code == 0, $"{use}\nended with {code}:\n{output}\nThe cluster printed:\n{terminal.Output}");
        Assert.NotEmpty(Readme.PromisedBy(use));
        Assert.Equal(Readme.PromisedBy(use), output.Trim().Split('\n'));
    }

    // A free port for each that the README names; all are held until the last is found, so that they differ.
    private static Dictionary<string, string> FreePorts(string shell)
    {
        var held = new List<TcpListener>();
        var free = new Dictionary<string, string>();
        foreach (var named in Port().Matches(shell).Select(m => m.Value).Distinct())
        {
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            held.Add(listener);
            free[named] = ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        }

        held.ForEach(listener => listener.Dispose());
        return free;
    }

    private static string Move(string shell, Dictionary<string, string> free) => Port().Replace(shell, port => free.GetValueOrDefault(port.Value, port.Value));

    [GeneratedRegex(@"(?<=127\.0\.0\.1:|--port )[1-9]\d*")]
    private static partial Regex Port();

    [GeneratedRegex(@"--listen 127\.0\.0\.1:(\d+)")]
    private static partial Regex Listening();
}
