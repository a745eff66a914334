using StackExchange.Redis;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Harness.Tests.Redis;

public sealed class RedisFaultTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Sentinels_replace_a_killed_primary_and_the_old_one_follows_when_it_comes_back()
    {
        await using var redis = await RedisReplicas.StartAsync(2, hasSentinels: true);
        await using var client = await ConnectionMultiplexer.ConnectAsync(redis.Configuration);
        Assert.True(await client.GetDatabase().StringSetAsync("key", "first"));
        foreach (var replica in redis.Nodes.Skip(1))
            await replica.WaitForAsync("what was written", IsNow("first"), "GET", "key");
        var old = await redis.KillPrimaryAsync();
        Assert.Same(redis.Nodes[0], old);
        var young = await redis.WaitForNewPrimaryAsync(old);
        Assert.NotSame(old, young);
        await Eventually.UntilAsync("the client writes to the new primary", () => TrySetAsync(client, "second"));
        // Replication is asynchronous: a second failover (on a machine so busy that the new primary does not answer for a second) must find it there too.
        foreach (var other in redis.Nodes.Where(node => node != old))
            await other.WaitForAsync("what was written after the failover", IsNow("second"), "GET", "key");

        await old.RestartAsync();
        await redis.WaitForReplicasAsync(2);
        Assert.False(await old.IsPrimaryAsync());
        await old.WaitForAsync("what was written without it", IsNow("second"), "GET", "key");

        var third = await redis.FailOverAsync();
        Assert.NotSame(young, third);
        Assert.Same(third, await redis.PrimaryAsync());
    }

    [Fact]
    public async Task A_replica_refuses_writes_until_it_is_promoted()
    {
        await using var redis = await RedisReplicas.StartAsync(1);
        var replica = redis.Nodes[1];
        Assert.StartsWith("-READONLY", await replica.CommandAsync("SET", "key", "no"), StringComparison.Ordinal);
        await redis.PromoteAsync(replica);
        Assert.StartsWith("+OK", await replica.CommandAsync("SET", "key", "yes"), StringComparison.Ordinal);
        Assert.StartsWith("-READONLY", await redis.Nodes[0].CommandAsync("SET", "key", "no"), StringComparison.Ordinal);
        Assert.Same(replica, await redis.PrimaryAsync());
    }

    [Fact]
    public async Task In_a_cluster_a_replica_takes_the_place_of_a_killed_primary()
    {
        await using var redis = await RedisCluster.StartAsync(["cluster-node-timeout 1000"], replicas: 1);
        Assert.Equal(6, redis.Nodes.Count);
        var old = redis.Nodes[1];
        await old.KillAsync();
        var young = await redis.WaitForPromotionAsync(old);
        Assert.Same(redis.Nodes[4], young);
        await old.RestartAsync();
        await old.WaitForAsync("it follows", reply => reply.Contains("role:slave", StringComparison.Ordinal), "INFO", "replication");
        await redis.WaitUntilWholeAsync();
        Assert.Equal(new[] { redis.Nodes[0].Port, redis.Nodes[2].Port, young.Port }.Order(), (await redis.PrimariesAsync()).Select(node => node.Port).Order());
        // Asked for, while all are well, also of the part of the slots that was just voted on.
        for (var seed = 0; seed < 3; seed++)
        {
            var asked = await redis.FailOverAsync(seed);
            await redis.WaitUntilWholeAsync();
            Assert.Contains(asked, await redis.PrimariesAsync());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_cut_append_only_file_leaves_a_prefix_of_what_was_written_and_the_same_one_for_a_seed(int seed)
    {
        await using var redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync always"]);
        for (var i = 0; i < 100; i++)
        {
            await redis.CommandAsync("SET", $"key-{i:D3}", "value");
        }

        Assert.Throws<InvalidOperationException>(() => AppendOnlyLog.Truncate(redis, seed));
        await redis.KillAsync();
        var cut = AppendOnlyLog.Truncate(redis, seed, keep: 500);
        Assert.InRange(cut.After, 500, cut.Before - 1);
        Assert.Equal(cut.After, AppendOnlyLog.LengthOf(redis));
        Assert.Equal(new Random(seed).NextInt64(500, cut.Before), cut.After);
        await redis.RestartAsync();
        var keys = await redis.KeysAsync();
        output.WriteLine($"{cut}: {keys.Count} keys");
        Assert.InRange(keys.Count, 1, 99);
        Assert.Equal(Enumerable.Range(0, keys.Count).Select(i => $"key-{i:D3}"), keys);
    }

    [Fact]
    public async Task On_a_full_disk_Redis_refuses_writes_and_takes_them_again_when_there_is_room()
    {
        if (SmallDisk.Impossible is { } why)
        {
            // Nothing else makes a disk full without the right to mount; the harness says so, and a Redis that refuses writes for want of replicas stands in.
            output.WriteLine(why);
            Assert.Equal(why, Assert.Throws<PlatformNotSupportedException>(() => SmallDisk.Open(8)).Message);
            await using var lonely = await RedisServer.StartAsync(["min-replicas-to-write 1"]);
            Assert.StartsWith("-NOREPLICAS", await lonely.CommandAsync("SET", "key", "no"), StringComparison.Ordinal);
            Assert.StartsWith("+OK", await lonely.CommandAsync("CONFIG", "SET", "min-replicas-to-write", "0"), StringComparison.Ordinal);
            Assert.StartsWith("+OK", await lonely.CommandAsync("SET", "key", "yes"), StringComparison.Ordinal);
            return;
        }

        using var disk = SmallDisk.Open(8);
        await using (var redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"], place: new(Folder: disk.Folder)))
        {
            Assert.StartsWith("+OK", await redis.CommandAsync("SET", "key", "before"), StringComparison.Ordinal);
            disk.Fill();
            await redis.WaitForAsync("a refused write", reply => reply.StartsWith("-MISCONF", StringComparison.Ordinal), "SET", "key", new string('x', 5000));
            disk.Free();
            await redis.WaitForAsync("a write that is taken", reply => reply.StartsWith("+OK", StringComparison.Ordinal), "SET", "key", "after");
        }

        Assert.Empty(Directory.GetFileSystemEntries(disk.Folder));
    }

    [Fact]
    public async Task A_server_that_never_gets_ready_is_ended_with_its_folder()
    {
        var before = Directory.GetDirectories(Path.GetTempPath(), "vmo-redis-*").Length;
        await Assert.ThrowsAsync<InvalidOperationException>(() => RedisServer.StartAsync(["no-such-directive yes"]));
        Assert.Equal(before, Directory.GetDirectories(Path.GetTempPath(), "vmo-redis-*").Length);
    }

    private static Func<string, bool> IsNow(string value) => reply => reply.Contains(value, StringComparison.Ordinal);

    private static async Task<bool> TrySetAsync(ConnectionMultiplexer client, string value)
    {
        try
        {
            return await client.GetDatabase().StringSetAsync("key", value);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            return false;
        }
    }
}
