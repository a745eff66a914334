using System.Diagnostics;
using System.Security.Cryptography;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary><c>vmo nbd</c>: the same door as a process beside the consumer.</summary>
public sealed class SidecarTests(DiskNode node) : IClassFixture<DiskNode>
{
    [Fact]
    public async Task A_sidecar_serves_what_a_node_serves_ends_well_when_told_to_and_starts_again_after_a_kill()
    {
        var (vmo, path, there, back) = (await node.Client.CreateAsync(8 << 20), node.File("sidecar"), node.File("there"), node.File("back"));
        await File.WriteAllBytesAsync(there, RandomNumberGenerator.GetBytes(8 << 20));
        var uri = $"nbd+unix:///{vmo.Handle.Reveal()}?socket={path}";

        using (var killed = await StartAsync(path))
        {
            await Peer.RunAsync("nbdcopy", [there, uri]);
            killed.Kill();
            await killed.WaitForExitAsync();
        }

        using var told = await StartAsync(path);
        await Peer.RunAsync("nbdcopy", [uri, back]);
        Assert.Equal(await File.ReadAllBytesAsync(there), await File.ReadAllBytesAsync(back));
        Signals.Send(told.Id, Signals.Terminate);
        await told.WaitForExitAsync();
        Assert.Equal(0, told.ExitCode);
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("0.0.0.0:0", "handles would cross the network")]
    [InlineData("10809", "must be an IP address and a port")]
    [InlineData("unix:", "must be an IP address and a port")]
    public async Task A_place_that_is_none_or_that_shows_handles_to_the_network_is_a_usage_error(string where, string why) =>
        Assert.Contains(why, await Peer.RunAsync(Program, ["nbd", "--endpoint", node.Silo.Endpoint.ToString(), "--listen", where], code: 64), StringComparison.Ordinal);

    private static string Program => BuiltServer.Find("client/Cli", "vmo");

    private async Task<Process> StartAsync(string path)
    {
        var process = ChildProcess.Start(new(Program, ["nbd", "--endpoint", node.Silo.Endpoint.ToString(), "--listen", $"unix:{path}"]) { RedirectStandardOutput = true });
        Assert.Equal($"ready nbd=unix:{path}", await process.StandardOutput.ReadLineAsync());
        return process;
    }
}
