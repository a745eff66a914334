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
        var extent = new byte[Limits.CallBytesMax];
        new Random(1).NextBytes(extent);
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

        Assert.Equal(VmoStatus.NoSpace, refused?.Status);
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
        await NothingIsLeftAsync(redis, vmo.Koid);
    }

    // What refused writes had brought to the store is freed as what was written is. What stays is the store's own, and two notes that go by
    // themselves: the answers of the VMO's last requests, and which koid its creation got.
    private static async Task NothingIsLeftAsync(RedisServer redis, Koid koid)
    {
        await Eventually.UntilAsync("the VMO's record, layers and blobs are freed", async () => (await redis.KeysAsync($"vmo:{{{koid}}}:[vlb]*")).Count == 0, TimeSpan.FromSeconds(20));
        // Struck off the list of unfinished work a moment later.
        await Eventually.UntilAsync("nothing is unfinished", async () => (await redis.KeysAsync("vmo:{sessions}:u:*")).Count == 0, TimeSpan.FromSeconds(20));
        var keys = await redis.KeysAsync();
        var notes = keys.Where(key => key == $"vmo:{{{koid}}}:t" || key.StartsWith("vmo:req:", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, notes.Count);
        foreach (var note in notes)
        {
            var left = TimeSpan.FromMilliseconds(long.Parse((await redis.CommandAsync("PTTL", note)).Trim(':', '\r', '\n'), CultureInfo.InvariantCulture));
            Assert.InRange(left, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10));
        }

        var id = (await redis.CommandAsync("HGET", "vmo:store", "id")).Split("\r\n")[1];
        Assert.Equal(["vmo:koids", ClusterNames.MembershipKey("vmo:", ClusterNames.ClusterId(id)), "vmo:store", "vmo:{sessions}"], keys.Except(notes));
    }
}
