using VmoCluster.Chaos.Load;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Tests.Load;

/// <summary>The sum of charges against stores that are right, and wrong on purpose.</summary>
public sealed class ChargesTests
{
    private const ulong Page = Limits.PageBytes;

    [Fact]
    public async Task A_layer_that_nobody_is_charged_and_a_charge_for_what_is_not_stored_are_found()
    {
        await using var lab = await ClusterLab.StartAsync(1, inNetwork: false);
        await using var client = VmoClient.Connect(new() { Endpoints = lab.Cluster.Endpoints, Deadline = TimeSpan.FromSeconds(30) });
        var root = await client.CreateAsync(64 * Page);
        await root.WriteAsync(0, Ones(3));
        var (live, frozen) = (await root.CloneAsync(VmoKind.Live), await root.CloneAsync(VmoKind.Snapshot));
        await live.WriteAsync(Page, Ones(1));
        await frozen.WriteAsync(0, Ones(2));
        await root.WriteAsync(2 * Page, Ones(2));
        var redis = (await lab.Store.PrimariesAsync())[0];
        Assert.Empty(await FoundAsync(TimeSpan.FromSeconds(20)));

        // As a layer that was forgotten: nobody refers to it, and nobody pays.
        var home = $"vmo:{{{live.Koid}}}";
        var (layer, blob) = (Assert.Single(await redis.KeysAsync($"{home}:l:*")), (await redis.KeysAsync($"{home}:b:*"))[0]);
        Assert.Equal(":1\r\n", await redis.CommandAsync("COPY", layer, $"{home}:l:777"));
        var blobParts = blob.Split(':');
        blobParts[3] = "777";
        Assert.Equal(":1\r\n", await redis.CommandAsync("COPY", blob, string.Join(':', blobParts)));
        Assert.Equal($"{8 * Page} bytes are charged to all VMOs, and {9 * Page} are stored", Assert.Single(await FoundAsync(TimeSpan.Zero)));
        await redis.CommandAsync("DEL", $"{home}:l:777", string.Join(':', blobParts));
        Assert.Empty(await FoundAsync(TimeSpan.Zero));

        // Lost by the store, and paid still: the snapshot's own two pages.
        await redis.CommandAsync(["DEL", .. await redis.KeysAsync($"vmo:{{{frozen.Koid}}}:b:*")]);
        Assert.Equal($"{8 * Page} bytes are charged to all VMOs, and {6 * Page} are stored", Assert.Single(await FoundAsync(TimeSpan.Zero)));

        Task<IReadOnlyList<string>> FoundAsync(TimeSpan within) => Charges.CheckAsync(lab.Store, client, [new(root)], DateTimeOffset.UtcNow, _ => { }, within);
    }

    private static byte[] Ones(int pages) => [.. Enumerable.Repeat((byte)1, pages * (int)Page)];
}
