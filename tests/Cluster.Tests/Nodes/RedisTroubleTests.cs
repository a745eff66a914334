using System.Collections.Concurrent;
using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>
/// Redis in trouble under a silo that runs: every call ends within its deadline and a second, what was acknowledged is in the store, and all of it heals
/// by itself.
/// </summary>
[Collection(NodeCollection.Name)]
public sealed class RedisTroubleTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan TroubleFor = TimeSpan.FromSeconds(8);

    // A last attempt that the deadline cuts off is TimedOut, and one that was told to wait ShouldWait: each kind of call is tried until one was told what that trouble ends in.
    private static readonly TimeSpan ToldWithin = TimeSpan.FromSeconds(60);
    private static readonly string[] Kept = ["appendonly yes", "appendfsync everysec"];

    [Fact]
    public async Task P3_Slow_beyond_its_second() =>
        await HoldsAsync(
            lab =>
            {
                lab.DelayRedis(0, TimeSpan.FromSeconds(2));
                return Task.CompletedTask;
            },
            lab =>
            {
                lab.Heal(0);
                return Task.CompletedTask;
            });

    [Fact]
    public async Task P3_Frozen() =>
        await HoldsAsync(
            lab =>
            {
                lab.Redis.Nodes[0].Pause();
                return Task.CompletedTask;
            },
            lab =>
            {
                lab.Redis.Nodes[0].Resume();
                return Task.CompletedTask;
            });

    [Fact]
    public async Task P3_Down() => await HoldsAsync(lab => lab.Redis.Nodes[0].KillAsync(), lab => lab.Redis.Nodes[0].RestartAsync());

    // At replicas:1: what the primary alone had acknowledged while the other was already promoted is lost at primary, as its decision says.
    [Fact]
    public async Task P3_A_read_only_replica() =>
        await HoldsAsync(lab => lab.Redis.PromoteAsync(lab.Redis.Nodes[1]), lab => lab.Redis.PromoteAsync(lab.Redis.Nodes[0]), replicas: 1);

    // Redis answers, and refuses: after a first Io, calls of all kinds are told to wait.
    [Fact]
    public async Task P3_On_a_full_disk()
    {
        if (SmallDisk.Impossible is { } why)
        {
            output.WriteLine(why);
            return;
        }

        using var disk = SmallDisk.Open(64);
        await using var redis = await RedisServer.StartAsync(Kept, place: new(Folder: disk.Folder));
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await HoldsAsync(
            silo,
            () =>
            {
                disk.Fill();
                return Task.CompletedTask;
            },
            () =>
            {
                disk.Free();
                return Task.CompletedTask;
            },
            VmoStatus.ShouldWait);
    }

    private async Task HoldsAsync(Func<ClusterLab, Task> begin, Func<ClusterLab, Task> end, int replicas = 0)
    {
        var options = new SiloOptions { Arguments = ["--durability", replicas == 0 ? "primary" : $"replicas:{replicas}"] };
        await using var lab = await ClusterLab.StartAsync(1, options, replicas: replicas, redisOptions: Kept, inNetwork: false);
        await HoldsAsync(lab.Cluster.Silos[0], () => begin(lab), () => end(lab));
    }

    private async Task HoldsAsync(SiloProcess silo, Func<Task> begin, Func<Task> end, VmoStatus toldEach = VmoStatus.Io)
    {
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = Deadline });
        // Before the trouble begins, no deadline is at stake.
        await using var patient = Nodes.Connect(silo.Endpoint);
        var vmo = client.Open((await patient.CreateAsync(1UL << 32)).Handle);
        await using var writes = new AckedWrites(vmo);
        await writes.WaitForMoreAsync(100);

        await begin();
        var began = Stopwatch.GetTimestamp();
        var failures = new ConcurrentDictionary<(string Call, VmoStatus Status), int>();
        (string Name, Func<Task> CallAsync)[] calls = [("write", () => vmo.WriteAsync(1UL << 31, new byte[] { 1 })), ("size", () => vmo.GetSizeAsync()), ("create", () => client.CreateAsync(4096))];
        var slowest = TimeSpan.Zero;
        while (Stopwatch.GetElapsedTime(began) < TroubleFor || (calls.Any(call => !failures.ContainsKey((call.Name, toldEach))) && Stopwatch.GetElapsedTime(began) < ToldWithin))
        {
            foreach (var (name, call) in calls)
            {
                var (status, took) = await EndAsync(call);
                failures.AddOrUpdate((name, status), 1, (_, count) => count + 1);
                slowest = took > slowest ? took : slowest;
            }
        }

        output.WriteLine($"{string.Join(", ", failures)}; the slowest call took {slowest.TotalSeconds:F1} s");
        Assert.InRange(slowest, TimeSpan.Zero, Deadline + TimeSpan.FromSeconds(1));
        foreach (var (name, _) in calls)
            Assert.Contains((name, toldEach), failures.Keys);
        Assert.Contains(failures.Keys, key => key.Status == VmoStatus.Io);
        Assert.DoesNotContain(failures.Keys, key => key.Status is not (VmoStatus.Ok or VmoStatus.Io or VmoStatus.TimedOut or VmoStatus.ShouldWait));
        Assert.NotEqual(200, (await Nodes.GetAsync(silo, "/health/ready")).Code);

        await end();
        var healing = Stopwatch.GetTimestamp();
        await Eventually.UntilAsync("a write is taken again", async () => (await EndAsync(() => vmo.WriteAsync(1UL << 31, new byte[] { 2 }))).Status == VmoStatus.Ok);
        output.WriteLine($"healed after {Stopwatch.GetElapsedTime(healing).TotalSeconds:F1} s");
        Assert.InRange(Stopwatch.GetElapsedTime(healing), TimeSpan.Zero, TimeSpan.FromSeconds(20));
        await writes.StopAsync();

        // By a silo that has nothing in memory.
        await silo.RestartAsync();
        await writes.VerifyAsync(vmo.WithDeadline(TimeSpan.FromSeconds(30)));
    }

    private static async Task<(VmoStatus Status, TimeSpan Took)> EndAsync(Func<Task> call)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await call();
            return (VmoStatus.Ok, Stopwatch.GetElapsedTime(began));
        }
        catch (VmoException failure)
        {
            return (failure.Status, Stopwatch.GetElapsedTime(began));
        }
    }
}
