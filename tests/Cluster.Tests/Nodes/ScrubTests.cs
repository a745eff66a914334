using System.Diagnostics;
using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>A scrub finds nothing where nothing is wrong, also in what is being changed, and every kind of damage where there is some.</summary>
[Collection(NodeCollection.Name)]
public sealed class ScrubTests : IAsyncLifetime
{
    private const int Page = Limits.PageBytes;

    private RedisServer? _redis;
    private SiloProcess? _silo;
    private VmoClient? _client;

    private RedisServer Redis => _redis!;

    private VmoClient Client => _client!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"]);
        _silo = await SiloProcess.StartAsync(new() { Redis = _redis.Configuration });
        _client = VmoClient.Connect(new() { Endpoints = [_silo.Endpoint], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = _silo.OperatorToken });
    }

    public async Task DisposeAsync()
    {
        await Client.DisposeAsync();
        await _silo!.DisposeAsync();
        await Redis.DisposeAsync();
    }

    [Fact]
    public async Task Nothing_is_found_in_a_store_that_is_whole_nor_while_it_changes()
    {
        var root = await Client.CreateAsync(4 << 20);
        await root.WriteAsync(0, Filled(400, 1));
        using var stop = new CancellationTokenSource();
        var work = Task.WhenAll(Enumerable.Range(0, 4).Select(seed => ChangeAsync(root, seed, stop.Token)));
        for (var round = 0; round < 3; round++)
        {
            var walk = Client.ScrubAsync();
            Assert.Equal([], await walk.ToListAsync());
            Assert.InRange(walk.Checked, 10, long.MaxValue);
        }

        await stop.CancelAsync();
        await work;
        var child = await root.CloneAsync(VmoKind.Snapshot);
        await child.CloneAsync(VmoKind.Snapshot);
        await child.CloseAsync();
        Assert.Equal([], await Client.ScrubAsync().ToListAsync());
        Assert.Equal([], await Client.ScrubAsync(root.Koid).ToListAsync());
        await using var other = Nodes.Connect(_silo!.Endpoint);
        Assert.Equal(VmoStatus.AccessDenied, (await Assert.ThrowsAsync<VmoException>(async () => await other.ScrubAsync().ToListAsync())).Status);
    }

    [Fact]
    public async Task The_embedded_store_is_walked_too()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = silo.OperatorToken });
        var root = await client.CreateAsync(1 << 20);
        await root.WriteAsync(0, Filled(100, 1));
        await root.CloneManyAsync(20, VmoKind.Snapshot);
        var walk = client.ScrubAsync();
        Assert.Equal([], await walk.ToListAsync());

        // 21 VMOs, 22 layers and at least a blob, each once from its VMO's side and, but for the records, once by its key.
        Assert.InRange(walk.Checked, 66, 200);
    }

    [Fact]
    public async Task A_VMO_of_many_pages_is_read_in_several_portions_and_its_last_page_is_seen()
    {
        var vmo = await Client.CreateAsync(1UL << 30);
        var part = Filled(Limits.CallBytesMax / Page, 1);
        for (var extent = 0; extent < 512; extent++)
        {
            part[extent * 4096 % part.Length] = (byte)extent;
            await vmo.WriteAsync((ulong)extent * Limits.CallBytesMax, part);
        }

        Assert.Equal([], await Client.ScrubAsync().ToListAsync());
        await vmo.WriteAsync((1UL << 30) - Page, Filled(1, 2));

        // Small blobs are put together behind the writes: the page is damaged where it lies when that has come to rest.
        var (count, since) = (0, Stopwatch.GetTimestamp());
        await Eventually.UntilAsync("no blob comes or goes for two seconds", async () =>
        {
            var now = (await Redis.KeysAsync($"vmo:{{{vmo.Koid}}}:b:*")).Count;
            if (now != count)
                (count, since) = (now, Stopwatch.GetTimestamp());
            return Stopwatch.GetElapsedTime(since) > TimeSpan.FromSeconds(2);
        }, TimeSpan.FromSeconds(60));
        var place = (await vmo.ExplainAsync(((1UL << 30) / Page) - 1)).Blob!;
        var (blob, index) = (place[(place.IndexOf(':', StringComparison.Ordinal) + 1)..place.IndexOf('#', StringComparison.Ordinal)], int.Parse(place[(place.IndexOf('#', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture));
        await Redis.CommandAsync("SETRANGE", $"vmo:{{{vmo.Koid}}}:b:1:{blob}", $"{16 + ((ulong)index * Page) + 100}", "other bytes");
        var finding = Assert.Single(await Client.ScrubAsync().ToListAsync());
        Assert.Equal(("checksum", vmo.Koid), (finding.What, finding.Koid));
        Assert.Contains($"page {((1UL << 30) / Page) - 1} ", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_kind_of_damage_is_found_and_nothing_else()
    {
        await FindsAsync("missing-blob", async (root, _) => await Redis.CommandAsync("DEL", await BlobAsync(root)));
        await FindsAsync("checksum", async (root, _) => await Redis.CommandAsync("SETRANGE", await BlobAsync(root), "4000", "other bytes"));
        await FindsAsync("damaged", async (root, _) => await Redis.CommandAsync("SETRANGE", await BlobAsync(root), "0", "XX"));
        await FindsAsync("orphan-blob", async (root, _) => await Redis.CommandAsync("COPY", await BlobAsync(root), $"vmo:{{{root}}}:b:1:dead.1"));
        await FindsAsync("orphan-blob", async (root, _) => await Redis.CommandAsync("SET", $"vmo:{{{root}}}:b:1:dead.2", "half a blob"));
        await FindsAsync("orphan-layer", async (root, _) => await Redis.CommandAsync("COPY", $"vmo:{{{root}}}:l:1", $"vmo:{{{root}}}:l:9"));
        await FindsAsync("unknown-user", async (root, _) => await Redis.CommandAsync("HDEL", $"vmo:{{{root}}}:v", "u\0\0\0\u0001"));
        await FindsAsync("unknown-child", async (root, _) => await Redis.CommandAsync("HDEL", $"vmo:{{{root}}}:v", "kids"));
        await FindsAsync("count", async (root, _) => await Redis.CommandAsync("HDEL", $"vmo:{{{root}}}:l:1", "count"));
        await FindsAsync("damaged", async (_, child) => await Redis.CommandAsync("HSET", $"vmo:{{{child}}}:v", "meta", "x"));
        await FindsAsync("missing-layer", async (root, _) => await Redis.CommandAsync("DEL", $"vmo:{{{root}}}:l:1"), "missing-layer", "orphan-blob");

        // A layer and a blob of a VMO that never was: only a walk over the whole store comes by.
        var found = (await Client.ScrubAsync().ToListAsync()).Select(finding => finding.What).Distinct();
        string[] wanted = ["missing-blob", "checksum", "damaged", "orphan-blob", "orphan-layer", "unknown-user", "unknown-child", "count", "missing-layer"];
        Assert.Empty(wanted.Except(found));
        await Redis.CommandAsync("HSET", "vmo:{999999}:l:1", "seq", "1", "layout", "1");
        await Redis.CommandAsync("SET", "vmo:{999999}:b:1:1.1", "x");
        Assert.Equal(["orphan-blob", "orphan-layer"], (await Client.ScrubAsync().ToListAsync()).Where(finding => finding.Koid == new Koid(999999)).Select(finding => finding.What).Order());
    }

    private async Task FindsAsync(string what, Func<Koid, Koid, Task<string>> damage, params string[] also)
    {
        var root = await Client.CreateAsync(1 << 20);
        await root.WriteAsync(0, Filled(3, 1));
        var child = await root.CloneAsync(VmoKind.Snapshot);
        Assert.Equal([], await Client.ScrubAsync(root.Koid).ToListAsync());
        var reply = await damage(root.Koid, child.Koid);
        Assert.False(reply.StartsWith('-'), reply);
        var findings = await Client.ScrubAsync(root.Koid).ToListAsync();
        Assert.True(findings.Count > 0, $"{what} is not found");
        Assert.All(findings, finding => Assert.Contains(finding.What, (string[])[what, .. also]));
        Assert.Contains(findings, finding => finding.What == what && (finding.Koid == root.Koid || finding.Koid == child.Koid));
    }

    private async Task<string> BlobAsync(Koid koid) => Assert.Single(await Redis.KeysAsync($"vmo:{{{koid}}}:b:1:*"));

    // Writes, snapshots, and closes of whole lines, so that there is always something being born, dying, and moved together.
    private static async Task ChangeAsync(Vmo root, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        while (!stop.IsCancellationRequested)
        {
            var line = new List<Vmo> { root };
            for (var depth = 0; depth < 5; depth++)
            {
                await line[^1].WriteAsync((ulong)random.Next(800) * Page, Filled(1 + random.Next(100), (byte)random.Next(1, 255)), CancellationToken.None);
                line.AddRange(await line[^1].CloneManyAsync(1 + random.Next(3), VmoKind.Snapshot, cancellation: CancellationToken.None));
            }

            foreach (var vmo in line.Skip(1).OrderBy(_ => random.Next()))
                await vmo.CloseAsync(CancellationToken.None);
        }
    }

    private static byte[] Filled(int pages, byte with)
    {
        var data = new byte[pages * Page];
        Array.Fill(data, with);
        return data;
    }
}
