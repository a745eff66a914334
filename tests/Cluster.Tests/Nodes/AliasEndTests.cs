using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;
using Xunit.Abstractions;
using static VmoCluster.Cluster.Tests.Nodes.AliasNode;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>What becomes of slices and references, and of what was done through them, when handles end, silos restart, and silos die.</summary>
[Collection(NodeCollection.Name)]
public sealed class AliasEndTests(ITestOutputHelper output)
{
    private const int Writers = 8;

    [Fact]
    public async Task P8_Nothing_lands_through_a_slices_handle_after_its_revoke_has_answered()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(16 * Page, new() { NonResizable = true });
        var slice = await root.CloneAsync(VmoKind.Slice, 4 * Page, Writers * Page);
        for (var round = 0; round < 30; round++)
        {
            var handle = await slice.DuplicateAsync(VmoRights.SameRights);
            var acked = new int[Writers];
            var writers = Enumerable.Range(0, Writers).Select(writer => WriteOnAsync(handle, writer, acked)).ToArray();
            await Eventually.UntilAsync("all writers have written", () => Task.FromResult(acked.All(count => count > 3)));
            await handle.RevokeAsync();
            var shown = await PagesAsync(root);
            foreach (var writer in writers)
                Assert.Equal(VmoStatus.BadHandle, await writer);
            var later = await PagesAsync(root);
            Assert.Equal(shown, later);

            // All that was acknowledged is there; of what was told BadHandle, nothing that began after the revoke.
            for (var writer = 0; writer < Writers; writer++)
                Assert.InRange(shown[writer], acked[writer], acked[writer] + 1);
        }
    }

    [Fact]
    public async Task A_closed_parent_lives_for_its_slices_and_references_and_everything_goes_with_the_last_of_them()
    {
        await using var redis = await RedisServer.StartAsync(["appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = silo.OperatorToken });
        var root = await client.CreateAsync(64 * Page, new() { NonResizable = true });
        await root.WriteAsync(0, Filled(64, 1));
        var reference = await root.CloneAsync(VmoKind.Reference);
        var slice = await reference.CloneAsync(VmoKind.Slice, 8 * Page, 8 * Page);
        var inner = await slice.CloneAsync(VmoKind.Slice, Page, Page);
        await root.CloseAsync();
        await reference.CloseAsync();
        await slice.CloseAsync();
        foreach (var closed in new[] { root, reference, slice })
            await RefusedAsync(VmoStatus.BadHandle, () => ByteAsync(closed, 0));
        Assert.Equal(1, await ByteAsync(inner, 3));
        await SetAsync(inner, 3, 2);
        Assert.Equal(2, await ByteAsync(inner, 3));
        Assert.Equal(slice.Koid, (await inner.GetInfoAsync()).Parent);
        Assert.Equal([], await client.ScrubAsync().ToListAsync());
        await inner.CloseAsync();
        await Eventually.UntilAsync("records, layers and blobs of the whole family are freed", async () => (await redis.KeysAsync("vmo:{[0-9]*}:[vlb]*")).Count == 0, TimeSpan.FromSeconds(20));
        var left = (await redis.KeysAsync("vmo:{[0-9]*}*")).Where(key => !key.EndsWith(":t", StringComparison.Ordinal));
        Assert.Empty(left);
    }

    [Fact]
    public async Task Slices_and_references_outlive_a_restart_and_end_after_it()
    {
        await using var silo = await SiloProcess.StartAsync();
        VmoHandle[] handles;
        await using (var client = Nodes.Connect(silo.Endpoint))
        {
            var root = await client.CreateAsync(4 * Page, new() { NonResizable = true });
            var slice = await root.CloneAsync(VmoKind.Slice, Page, 2 * Page);
            var reference = await root.CloneAsync(VmoKind.Reference);
            await SetAsync(slice, 0, 1);
            await SetAsync(reference, Page + 1, 2);
            handles = [root.Handle, slice.Handle, reference.Handle];
        }

        await silo.KillAsync();
        await silo.RestartAsync();
        await using var again = Nodes.Connect(silo.Endpoint);
        Vmo[] vmos = [.. handles.Select(again.Open)];
        Assert.Equal((1, 2), (await ByteAsync(vmos[2], Page), await ByteAsync(vmos[1], 1)));
        await SetAsync(vmos[1], 2, 3);
        Assert.Equal(3, await ByteAsync(vmos[0], Page + 2));
        // Each has had an owner before: what that may have handed on is fenced off first.
        await vmos[1].CloseAsync();
        await vmos[2].RevokeAsync();
        await SoonHasNoChildrenAsync(vmos[0]);
    }

    [Fact]
    public async Task P3_P8_Writes_through_a_slice_survive_the_silos_of_either_and_none_lands_after_its_end()
    {
        await using var cluster = await SiloCluster.StartAsync(3);
        await using var client = Nodes.Connect([.. cluster.Endpoints]);
        // Several families: roots and slices live on all silos, in every combination.
        var families = new List<(Vmo Root, Vmo Slice, int[] Acked, Task<VmoStatus>[] Writers)>();
        for (var i = 0; i < 6; i++)
        {
            var root = await client.CreateAsync(16 * Page, new() { NonResizable = true });
            var slice = await root.CloneAsync(VmoKind.Slice, 4 * Page, Writers * Page);
            var acked = new int[Writers];
            families.Add((root, slice, acked, [.. Enumerable.Range(0, 2).Select(writer => WriteOnAsync(slice, writer, acked))]));
        }

        foreach (var victim in new[] { 0, 1 })
        {
            await MoreAsync();
            await cluster.Silos[victim].KillAsync();
            await MoreAsync();
            await cluster.Silos[victim].RestartAsync();
            await cluster.WaitForMembersAsync(3);
        }

        await MoreAsync();
        await cluster.Silos[2].KillAsync();
        await Task.WhenAll(families.Select(async family =>
        {
            await family.Slice.RevokeAsync();
            var shown = await PagesAsync(family.Root);
            foreach (var writer in family.Writers)
                Assert.Equal(VmoStatus.BadHandle, await writer);
            Assert.Equal(shown, await PagesAsync(family.Root));
            for (var writer = 0; writer < 2; writer++)
                Assert.InRange(shown[writer], family.Acked[writer], family.Acked[writer] + 1);
            await SoonHasNoChildrenAsync(family.Root);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{family.Acked[0]} and {family.Acked[1]} writes"));
        }));

        async Task MoreAsync()
        {
            var before = families.Select(family => family.Acked.Take(2).ToArray()).ToList();
            await Eventually.UntilAsync("every writer goes on", () => Task.FromResult(
                families.Zip(before).All(pair => pair.First.Acked[0] > pair.Second[0] + 20 && pair.First.Acked[1] > pair.Second[1] + 20)), TimeSpan.FromSeconds(90));
        }
    }

    // Counts upward in its page until it is refused; how far it was acknowledged stands in acked.
    private static async Task<VmoStatus> WriteOnAsync(Vmo vmo, int writer, int[] acked)
    {
        for (var count = 1; ; count++)
        {
            try
            {
                await vmo.WriteAsync((ulong)writer * Page, BitConverter.GetBytes(count));
                acked[writer] = count;
            }
            catch (VmoException exception)
            {
                return exception.Status;
            }
        }
    }

    private static async Task<int[]> PagesAsync(Vmo root)
    {
        var bytes = new byte[Writers * Page];
        await root.ReadAsync(4 * Page, bytes);
        return [.. Enumerable.Range(0, Writers).Select(writer => BitConverter.ToInt32(bytes, writer * Page))];
    }

    private static byte[] Filled(int pages, byte with)
    {
        var data = new byte[pages * Page];
        Array.Fill(data, with);
        return data;
    }
}
