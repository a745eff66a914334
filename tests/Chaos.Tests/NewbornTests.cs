using Grpc.Net.Client;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Tests;

/// <summary>A clone whose maker was never answered, as a client that dies in the middle of its call leaves it.</summary>
public sealed class NewbornTests
{
    [Fact]
    public async Task A_clone_that_nobody_was_told_of_is_gone_after_its_minute_and_its_parent_has_no_child()
    {
        await using var redis = await RedisServer.StartAsync(["appendonly yes"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var root = await client.CreateAsync(1 << 20);
        await root.WriteAsync(0, new byte[] { 1 });
        using var channel = GrpcChannel.ForAddress(silo.Endpoint);
        var made = await new V1.Vmos.VmosClient(channel).CloneAsync(new()
        {
            Head = new() { Handle = root.Handle.Reveal(), DeadlineMs = 30_000 }, Specs = { new V1.CloneSpec { Kind = (uint)VmoKind.Snapshot, Size = 1 << 20 } }, Count = 1,
        });
        Assert.Equal(1, (int)(await root.GetInfoAsync()).ChildCount);
        var record = $"vmo:{{{made.FirstKoid}}}:v";
        Assert.NotEmpty(await redis.KeysAsync(record));

        await Eventually.UntilAsync("the child is gone", async () => (await redis.KeysAsync(record)).Count == 0, TimeSpan.FromSeconds(120));
        await Eventually.UntilAsync("the parent shows it", async () => (await root.GetInfoAsync()).Signals.HasFlag(VmoSignals.ZeroChildren));
        Assert.Equal(0, (int)(await root.GetInfoAsync()).ChildCount);
        Assert.Empty(await redis.KeysAsync("vmo:{sessions}:u:*"));
    }
}
