using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>Three silos on one machine over a redis-server, as three such commands make them.</summary>
[Collection(NodeCollection.Name)]
public sealed class ThreeSilosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task P2_P3_What_one_silo_wrote_all_show_and_kills_and_leaves_lose_nothing_acknowledged()
    {
        await using var cluster = await SiloCluster.StartAsync(3);
        await ShowsEverywhereAsync(cluster);

        await using var client = Nodes.Connect([.. cluster.Endpoints]);
        var vmos = new List<Vmo>();
        for (var i = 0; i < 4; i++)
        {
            vmos.Add(await client.CreateAsync(1UL << 32));
        }

        var writes = vmos.Select(vmo => new AckedWrites(vmo)).ToList();
        try
        {
            await AllMoreAsync(writes, 200);
            await cluster.Silos[0].KillAsync();
            await AllMoreAsync(writes, 200);
            output.WriteLine($"kill -9: {writes.Sum(w => w.Acked)} acknowledged, {writes.Sum(w => w.Failed)} failed");
            await cluster.Silos[0].RestartAsync();
            await cluster.WaitForMembersAsync(3);
            await AllMoreAsync(writes, 100);
            Assert.Equal(0, await cluster.Silos[1].StopAsync());
            await AllMoreAsync(writes, 200);
            output.WriteLine($"SIGTERM: {writes.Sum(w => w.Acked)} acknowledged, {writes.Sum(w => w.Failed)} failed");
            for (var i = 0; i < vmos.Count; i++)
            {
                await writes[i].StopAsync();
                await writes[i].VerifyAsync(vmos[i]);
            }
        }
        finally
        {
            foreach (var one in writes)
            {
                await one.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task P2_A_silo_that_stood_still_while_its_VMO_was_taken_over_changes_and_shows_nothing_old()
    {
        await using var cluster = await SiloCluster.StartAsync(3);
        var (old, young) = (cluster.Silos[0], cluster.Silos[1]);
        await using var through = Nodes.Connect(old.Endpoint);
        await using var others = Nodes.Connect(young.Endpoint, cluster.Silos[2].Endpoint);

        // Several VMOs: whichever of them live on the silo that stands still have to be taken over.
        var vmos = new List<Vmo>();
        for (var i = 0; i < 12; i++)
        {
            var vmo = await through.CreateAsync(Limits.PageBytes);
            await vmo.WriteAsync(0, "before"u8.ToArray());
            vmos.Add(vmo.WithDeadline(TimeSpan.FromSeconds(3)));
        }

        // Writes on their way when it stands still, and given up by their callers before it goes on.
        var late = vmos.Select(async vmo =>
        {
            while (true)
            {
                await vmo.WriteAsync(0, "late"u8.ToArray());
            }
        }).ToList();
        await Eventually.UntilAsync("late writes are seen", async () => (await ReadAsync(vmos[0])).StartsWith("late", StringComparison.Ordinal));
        old.Pause();
        foreach (var write in late)
        {
            await Assert.ThrowsAsync<VmoException>(() => write);
        }

        var after = new Dictionary<Koid, ulong>();
        foreach (var vmo in vmos)
        {
            await Eventually.UntilAsync($"VMO {vmo.Koid} is taken over", async () =>
            {
                if (await TryWriteAsync(others.Open(vmo.Handle), "after") is not { } version)
                {
                    return false;
                }

                after[vmo.Koid] = version;
                return true;
            });
        }

        old.Resume();
        await Eventually.UntilAsync("the silo that stood still has ended or serves again", async () => old.HasExited || await IsReadyAsync(old));
        output.WriteLine(old.HasExited ? $"it ended with {old.ExitCode}" : "it serves again");
        await HoldsAsync(others, vmos, after);
        if (!old.HasExited)
        {
            await using var again = Nodes.Connect(old.Endpoint, young.Endpoint);
            await HoldsAsync(again, vmos, after);
        }
    }

    // A late write that lay in a socket is a call like any other when the new owner runs it, after all it has acknowledged: its version says
    // so. What the old owner shows or commits of its own would have an older one.
    private static async Task HoldsAsync(VmoClient client, List<Vmo> vmos, Dictionary<Koid, ulong> after)
    {
        foreach (var vmo in vmos)
        {
            var bytes = new byte[16];
            var version = await client.Open(vmo.Handle).ReadAsync(0, bytes);
            var text = System.Text.Encoding.UTF8.GetString(bytes);
            Assert.True(
                version > after[vmo.Koid] || (version == after[vmo.Koid] && text.StartsWith("after", StringComparison.Ordinal)),
                $"VMO {vmo.Koid} shows '{text}' at version {version}; version {after[vmo.Koid]} was acknowledged before.");
        }
    }

    // Nobody is left who could declare the dead ones dead: the first silo that came back used to wait for them, for 90 s.
    [Fact]
    public async Task P3_A_cluster_all_of_whose_silos_are_killed_at_once_is_back_within_seconds_with_every_acknowledged_byte()
    {
        await using var cluster = await SiloCluster.StartAsync(2);
        await using var client = Nodes.Connect([.. cluster.Endpoints]);
        var vmo = await client.CreateAsync(1UL << 32);
        await using var writes = new AckedWrites(vmo);
        await writes.WaitForMoreAsync(200);
        await Task.WhenAll(cluster.Silos.Select(silo => silo.KillAsync()));
        var began = Stopwatch.GetTimestamp();
        foreach (var silo in cluster.Silos)
        {
            await silo.RestartAsync();
        }

        await cluster.WaitForMembersAsync(2);
        var took = Stopwatch.GetElapsedTime(began);
        output.WriteLine($"both are back after {took.TotalSeconds:F1} s");
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(70));
        await writes.WaitForMoreAsync(200);
        await writes.StopAsync();
        await writes.VerifyAsync(vmo);
    }

    [Fact]
    public async Task Two_clusters_on_one_Redis_differ_by_their_prefix_and_know_nothing_of_each_other()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var first = await SiloCluster.StartAsync(1, new() { Prefix = "one:" }, redis);
        await using var second = await SiloCluster.StartAsync(1, new() { Prefix = "two:" }, redis);
        await using var here = Nodes.Connect([.. first.Endpoints]);
        await using var there = Nodes.Connect([.. second.Endpoints]);
        var (mine, yours) = (await here.CreateAsync(4096), await there.CreateAsync(4096));
        await mine.WriteAsync(0, "mine"u8.ToArray());
        await yours.WriteAsync(0, "yours"u8.ToArray());
        var refusal = await Assert.ThrowsAsync<VmoException>(() => there.Open(mine.Handle).GetSizeAsync());
        Assert.Equal(VmoStatus.BadHandle, refusal.Status);
        Assert.StartsWith("mine", await ReadAsync(mine), StringComparison.Ordinal);
        foreach (var silo in new[] { first.Silos[0], second.Silos[0] })
        {
            Assert.Contains("Active silos: 1", (await Nodes.GetAsync(silo, "/")).Text, StringComparison.Ordinal);
        }
    }

    private static async Task ShowsEverywhereAsync(SiloCluster cluster)
    {
        var handles = new List<VmoHandle>();
        for (var i = 0; i < cluster.Silos.Count; i++)
        {
            await using var writer = Nodes.Connect(cluster.Silos[i].Endpoint);
            var vmo = await writer.CreateAsync(Limits.PageBytes);
            await vmo.WriteAsync(0, "shown everywhere"u8.ToArray());
            handles.Add(vmo.Handle);
        }

        foreach (var silo in cluster.Silos)
        {
            await using var reader = Nodes.Connect(silo.Endpoint);
            foreach (var handle in handles)
            {
                Assert.StartsWith("shown everywhere", await ReadAsync(reader.Open(handle)), StringComparison.Ordinal);
            }
        }
    }

    private static Task AllMoreAsync(List<AckedWrites> writes, int more) => Task.WhenAll(writes.Select(one => one.WaitForMoreAsync(more)));

    private static async Task<string> ReadAsync(Vmo vmo)
    {
        var bytes = new byte[16];
        await vmo.ReadAsync(0, bytes);
        return System.Text.Encoding.UTF8.GetString(bytes);
    }

    private static async Task<ulong?> TryWriteAsync(Vmo vmo, string text)
    {
        try
        {
            return await vmo.WriteAsync(0, System.Text.Encoding.UTF8.GetBytes(text.PadRight(16)));
        }
        catch (VmoException failure) when (failure.IsRetryable)
        {
            return null;
        }
    }

    private static async Task<bool> IsReadyAsync(SiloProcess silo)
    {
        try
        {
            return (await Nodes.GetAsync(silo, "/health/ready")).Code == 200;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (TaskCanceledException)
        {
            return false;
        }
    }

    // As pods are that are created in parallel: each finds no store, and one of them makes it.
    [Fact]
    public async Task Three_silos_that_start_at_once_on_an_empty_Redis_are_one_cluster_on_one_store()
    {
        await using var cluster = await SiloCluster.StartAsync(3, areTogether: true);
        await using var client = VmoClient.Connect(new() { Endpoints = [cluster.Endpoints[0]], Deadline = TimeSpan.FromSeconds(30) });
        var vmos = new List<Vmo>();
        for (var i = 0; i < 30; i++)
        {
            vmos.Add(await client.CreateAsync(4096));
            await vmos[i].WriteAsync(0, new[] { (byte)i });
        }

        Assert.Equal(30, vmos.Select(vmo => vmo.Koid).Distinct().Count());
        foreach (var endpoint in cluster.Endpoints)
        {
            await using var other = VmoClient.Connect(new() { Endpoints = [endpoint], Deadline = TimeSpan.FromSeconds(30) });
            for (var i = 0; i < 30; i++)
            {
                var there = new byte[1];
                await other.Open(vmos[i].Handle).ReadAsync(0, there);
                Assert.Equal(i, there[0]);
            }
        }
    }
}
