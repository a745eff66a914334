using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;
using Xunit.Abstractions;
using static VmoCluster.Cluster.Tests.Nodes.AliasNode;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>P4, P9 at the ends of families: who waits for the last child hears of it soon, and a parent may be closed while its children are being made.</summary>
[Collection(NodeCollection.Name)]
public sealed class FamilyEndTests(ITestOutputHelper output)
{
    private const int Children = Limits.CloneCountMax;

    [Fact]
    public async Task P9_A_waiter_hears_of_the_last_childs_end_within_100_ms()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(16 * Page, new() { NonResizable = true });
        await SetAsync(root, 0, 1);
        foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live, VmoKind.Slice, VmoKind.Reference })
        {
            var best = TimeSpan.MaxValue;

            // The machine that runs this has other things to do, too, and any single round may be held up: the best of several is what an idle cluster does.
            for (var round = 0; round < 40 && (round < 5 || best > TimeSpan.FromMilliseconds(100)); round++)
            {
                var took = await EndAsync(root, kind);
                best = took < best ? took : best;
            }

            output.WriteLine($"{kind}: {best.TotalMilliseconds:F1} ms");
            Assert.InRange(best, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
        }
    }

    /// <param name="begun">Keys of the store at which the parent is closed: before the call is decided, or in the midst of its children.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(2000)]
    public async Task P4_A_VMO_that_is_closed_while_ten_thousand_children_are_made_has_all_of_them_or_none(int begun)
    {
        await using var redis = await RedisServer.StartAsync(["appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(60), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = silo.OperatorToken });
        var root = await client.CreateAsync(16 * Page);
        await SetAsync(root, 0, 7);
        var making = MakeAsync(root);
        await Eventually.UntilAsync("children are being written, or are all there", async () => making.IsCompleted || begun == 0 || KeysOf(await redis.CommandAsync("DBSIZE")) > begun);
        await root.CloseAsync();
        var made = await making;
        output.WriteLine($"{made?.Count ?? 0} children");

        // Nothing half-made is visible: what there is, is whole.
        var listed = await client.ListAsync(new()).ToListAsync();
        Assert.Equal(made?.Count ?? 0, listed.Count(vmo => vmo.Koid != root.Koid));
        await RefusedAsync(VmoStatus.BadHandle, () => ByteAsync(root, 0));
        if (made is not null)
        {
            Assert.Equal(Children, made.Count);
            foreach (var child in made.Where((_, i) => i % 500 == 0).Append(made[^1]))
                Assert.Equal(7, await ByteAsync(child, 0));
            Assert.Equal([], await client.ScrubAsync().ToListAsync());
            foreach (var some in made.Select(child => child.Handle).Chunk(Limits.CloseManyMax))
                Assert.All((await client.CloseManyAsync(some)).Outcomes, outcome => Assert.Equal(Outcome.Ok, outcome));
        }

        IEnumerable<string> left = [];
        await Eventually.UntilAsync("records, layers and blobs are gone", async () =>
        {
            left = (await redis.KeysAsync("vmo:{[0-9]*}*")).Where(key => !key.EndsWith(":t", StringComparison.Ordinal));
            return !left.Any();
        }, TimeSpan.FromSeconds(90));
        Assert.Equal([], await client.ScrubAsync().ToListAsync());
    }

    // From before the close is sent until the waiter knows.
    private static async Task<TimeSpan> EndAsync(Vmo root, VmoKind kind)
    {
        var child = await root.CloneAsync(kind, 0, kind == VmoKind.Reference ? 0ul : 4 * Page);
        await ByteAsync(child, 0);
        var heard = root.WaitAsync(VmoSignals.ZeroChildren, TimeSpan.FromSeconds(20));

        // Asked after it on the same way: the wait stands by now.
        Assert.Equal(1, (await root.GetInfoAsync()).ChildCount);
        Assert.False(heard.IsCompleted, "ZERO_CHILDREN is set over a child");
        var began = Stopwatch.GetTimestamp();
        await child.CloseAsync();
        Assert.False((await heard).IsTimedOut, "the waiter was not told");
        return Stopwatch.GetElapsedTime(began);
    }

    // Null: the close came first.
    private static async Task<IReadOnlyList<Vmo>?> MakeAsync(Vmo root)
    {
        try
        {
            return await root.CloneManyAsync(Children, VmoKind.Snapshot, 0, 16 * Page);
        }
        catch (VmoException refused) when (refused.Status == VmoStatus.BadHandle)
        {
            return null;
        }
    }

    private static int KeysOf(string reply) => int.Parse(reply.Trim().TrimStart(':'), System.Globalization.CultureInfo.InvariantCulture);
}
