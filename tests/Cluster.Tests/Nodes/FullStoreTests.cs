using System.Globalization;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>P11: a store that is full refuses writes and still lets its users free what they have.</summary>
[Collection(NodeCollection.Name)]
public sealed class FullStoreTests
{
    [Fact]
    public async Task A_full_store_refuses_writes_and_lets_decommit_revoke_and_close_go_on()
    {
        await using var redis = await RedisServer.StartAsync(["maxmemory 64mb", "maxmemory-policy noeviction", "appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = await client.CreateAsync(1 << 30);
        var other = await vmo.DuplicateAsync(VmoRights.Read);
        var second = await client.CreateAsync(1 << 20);
        var extent = new byte[Limits.CallBytesMax];
        new Random(1).NextBytes(extent);
        await second.WriteAsync(0, extent);
        Assert.NotEmpty(await KeysOfAsync(redis, second.Koid));
        var written = 0ul;
        VmoException? refused = null;
        while (refused is null && written < 1 << 30)
        {
            try
            {
                await vmo.WriteAsync(written, extent);
                written += (ulong)extent.Length;
            }
            catch (VmoException exception)
            {
                refused = exception;
            }
        }

        // The silo refuses before Redis has to: what frees needs some memory, too.
        Assert.Equal(VmoStatus.NoSpace, refused?.Status);
        Assert.InRange(await UsedAsync(redis), 16L << 20, (64L << 20) - 1);
        Assert.InRange(written, 16ul << 20, 64ul << 20);

        // What was acknowledged is there; what was refused left nothing.
        var found = new byte[extent.Length];
        await vmo.ReadAsync(written - (ulong)extent.Length, found);
        Assert.Equal(extent, found);
        await vmo.ReadAsync(written, found);
        Assert.Equal(-1, found.AsSpan().IndexOfAnyExcept((byte)0));

        // Full still: what frees, and what ends somebody's access, is done.
        Assert.Equal(VmoStatus.NoSpace, (await Assert.ThrowsAsync<VmoException>(() => vmo.WriteAsync(written, extent))).Status);
        await other.RevokeAsync();
        Assert.Equal(VmoStatus.BadHandle, (await Assert.ThrowsAsync<VmoException>(() => other.ReadAsync(0, found))).Status);
        await second.CloseAsync();
        await Eventually.UntilAsync("the closed VMO's record, layers and blobs are freed", async () => (await KeysOfAsync(redis, second.Koid)).Count == 0, TimeSpan.FromSeconds(20));
        await vmo.DecommitAsync(new(0, written / 2));

        // The freed half is room for writes again, once Redis has given it back and the mark was looked at.
        await Eventually.UntilAsync("a write is taken again after half of the pages were decommitted", async () =>
        {
            try
            {
                await vmo.WriteAsync(0, extent);
                return true;
            }
            catch (VmoException exception) when (exception.Status == VmoStatus.NoSpace)
            {
                return false;
            }
        });
        await vmo.CloseAsync();
        Assert.Equal(VmoStatus.BadHandle, (await Assert.ThrowsAsync<VmoException>(() => vmo.GetSizeAsync())).Status);
        await NothingIsLeftAsync(redis, vmo.Koid, second.Koid);
    }

    private static Task<IReadOnlyList<string>> KeysOfAsync(RedisServer redis, Koid koid) => redis.KeysAsync($"vmo:{{{koid}}}:[vlb]*");

    private static async Task<long> UsedAsync(RedisServer redis)
    {
        var lines = (await redis.CommandAsync("INFO", "memory")).Split("\r\n");
        return long.Parse(lines.Single(line => line.StartsWith("used_memory:", StringComparison.Ordinal)).Split(':')[1], CultureInfo.InvariantCulture);
    }

    // What refused writes had brought to the store is freed as what was written is. What stays is the store's own, and two notes of each VMO that
    // go by themselves: the answers of its last requests, and which koid its creation got.
    private static async Task NothingIsLeftAsync(RedisServer redis, params Koid[] koids)
    {
        foreach (var koid in koids)
            await Eventually.UntilAsync("the VMO's record, layers and blobs are freed", async () => (await KeysOfAsync(redis, koid)).Count == 0, TimeSpan.FromSeconds(20));
        // Struck off the list of unfinished work a moment later.
        await Eventually.UntilAsync("nothing is unfinished", async () => (await redis.KeysAsync("vmo:{sessions}:u:*")).Count == 0, TimeSpan.FromSeconds(20));
        var keys = await redis.KeysAsync();
        var notes = keys.Where(key => koids.Any(koid => key == $"vmo:{{{koid}}}:t") || key.StartsWith("vmo:req:", StringComparison.Ordinal)).ToList();
        Assert.Equal(2 * koids.Length, notes.Count);
        foreach (var note in notes)
        {
            var left = TimeSpan.FromMilliseconds(long.Parse((await redis.CommandAsync("PTTL", note)).Trim(':', '\r', '\n'), CultureInfo.InvariantCulture));
            Assert.InRange(left, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10));
        }

        var id = (await redis.CommandAsync("HGET", "vmo:store", "id")).Split("\r\n")[1];
        Assert.Equal(["vmo:koids", ClusterNames.MembershipKey("vmo:", ClusterNames.ClusterId(id)), "vmo:store", "vmo:{sessions}"], keys.Except(notes));
    }
}
