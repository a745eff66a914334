using System.Diagnostics;
using VmoCluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Cluster.Tests.Nodes;

[Collection(NodeCollection.Name)]
public sealed class SingleNodeTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_node_says_it_is_ready_when_it_serves_and_leaves_on_SIGTERM_with_everything_in_its_folder()
    {
        await using var silo = await SiloProcess.StartAsync();
        Assert.Matches(@"^ready endpoint=http://127\.0\.0\.1:\d+ http=http://127\.0\.0\.1:\d+$", silo.ReadyLine);
        foreach (var path in new[] { "/health", "/health/live", "/health/ready", "/health/startup" })
        {
            Assert.Equal(200, (await Nodes.GetAsync(silo, path)).Code);
        }

        Assert.Contains("is ready", (await Nodes.GetAsync(silo, "/")).Text, StringComparison.Ordinal);
        Assert.Contains("vmo_session_lease_seconds", (await Nodes.GetAsync(silo, "/metrics")).Text, StringComparison.Ordinal);
        Assert.StartsWith("vmoop_", silo.OperatorToken, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(silo.Data, "operator")));

        VmoHandle handle;
        await using (var client = Nodes.Connect(silo.Endpoint))
        {
            var vmo = await client.CreateAsync(1 << 20, new() { Name = "first" });
            await vmo.WriteAsync(5000, "forty-two"u8.ToArray());
            handle = vmo.Handle;
        }

        Assert.Equal(0, await silo.StopAsync());
        await silo.RestartAsync();
        await using (var client = Nodes.Connect(silo.Endpoint))
        {
            var found = new byte[9];
            await client.Open(handle).ReadAsync(5000, found);
            Assert.Equal("forty-two"u8.ToArray(), found);
            Assert.Equal("first", await client.Open(handle).GetNameAsync());
        }

        Assert.Equal(0, await silo.InterruptAsync());
        Assert.DoesNotContain("   at ", silo.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task P3_A_node_killed_in_the_middle_of_writes_has_every_acknowledged_byte_when_it_is_back()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = await client.CreateAsync(1UL << 32);
        await using var writes = new AckedWrites(vmo.WithDeadline(TimeSpan.FromSeconds(5)));
        for (var kill = 0; kill < 3; kill++)
        {
            await writes.WaitForMoreAsync(500);
            await silo.KillAsync();
            var began = Stopwatch.GetTimestamp();
            await silo.RestartAsync();
            output.WriteLine($"kill {kill}: {writes.Acked} acknowledged, {writes.Failed} failed, ready again after {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s");
            await writes.WaitForMoreAsync(100);
        }

        await writes.StopAsync();
        await writes.VerifyAsync(vmo);
        Assert.Equal(0, await silo.StopAsync());
    }
}
