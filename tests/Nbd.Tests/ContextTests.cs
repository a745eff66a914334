using System.Buffers.Binary;
using System.Text;
using VmoCluster.Client;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>Meta contexts: which there are, which are agreed on, and what BLOCK_STATUS tells of them.</summary>
public sealed class ContextTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const uint Page = Limits.PageBytes;

    [Theory]
    [InlineData("", "base:allocation qemu:allocation-depth vmo:owner")]
    [InlineData("base:", "base:allocation")]
    [InlineData("qemu: vmo:", "qemu:allocation-depth vmo:owner")]
    [InlineData("vmo:owner", "vmo:owner")]
    [InlineData("qemu:dirty-bitmap:x base", "")]
    public async Task Contexts_are_listed_by_name_and_by_namespace(string asked, string listed)
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        using var client = await GreetedAsync();
        Assert.Equal(listed, NamesOf(await client.AskAsync(NbdOption.ListMetaContext, Query(vmo, asked))));
    }

    [Fact]
    public async Task What_was_asked_for_last_and_of_the_same_export_is_agreed_on()
    {
        var (vmo, other) = (await node.Client.CreateAsync(1 << 20), await node.Client.CreateAsync(1 << 20));
        using var client = await GreetedAsync();
        Assert.Equal("base:allocation vmo:owner", NamesOf(await client.AskAsync(NbdOption.SetMetaContext, Query(vmo, "vmo:owner nobody's base:allocation"))));
        // A namespace alone chooses nothing.
        Assert.Equal("", NamesOf(await client.AskAsync(NbdOption.SetMetaContext, Query(vmo, "base:"))));
        Assert.Equal("base:allocation", NamesOf(await client.AskAsync(NbdOption.SetMetaContext, Query(vmo, "base:allocation"))));
        await GoAsync(client, vmo);
        await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, Page));
        var told = await client.ReceiveChunkAsync();
        Assert.Equal((NbdChunk.BlockStatus, true), (told.Kind, told.IsLast));

        // One that fails leaves nothing of the one before it, and another export's is not this one's.
        foreach (var last in new[] { [.. Query(vmo, "vmo:owner"), 0], Query(other, "base:allocation") })
        {
            using var without = await GreetedAsync();
            await without.AskAsync(NbdOption.SetMetaContext, Query(vmo, "base:allocation"));
            await without.AskAsync(NbdOption.SetMetaContext, last);
            await GoAsync(without, vmo);
            await without.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, Page));
            var refused = await without.ReceiveChunkAsync();
            Assert.Equal((NbdChunk.Error, (uint)NbdError.Invalid), (refused.Kind, BinaryPrimitives.ReadUInt32BigEndian(refused.Data)));
        }
    }

    // Its pages come from three VMOs; who may not see the family is told that they come from farther up.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_depth_is_told_as_far_as_the_handle_may_see(bool maySee)
    {
        var root = await node.Client.CreateAsync(4 * Page);
        await root.WriteAsync(0, Ones(3));
        var middle = await root.CloneAsync(VmoKind.Live);
        await middle.WriteAsync(Page, Ones(2));
        var top = await middle.CloneAsync(VmoKind.Live);
        await top.WriteAsync(2 * Page, Ones(1));
        var handle = await top.DuplicateAsync(VmoRights.Read | (maySee ? VmoRights.Inspect : VmoRights.None));
        using var client = await GreetedAsync();
        await client.AskAsync(NbdOption.SetMetaContext, Query(handle, "qemu:allocation-depth"));
        await GoAsync(client, handle);
        await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, 4 * Page));
        var told = Extents(await client.ReceiveChunkAsync());
        Assert.Equal(maySee ? [(Page, 3u), (Page, 2u), (Page, 1u), (Page, 0u)] : [(2 * Page, 2u), (Page, 1u), (Page, 0u)], told);
        await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, 4 * Page, flags: NbdCommandFlags.RequestOne));
        Assert.Equal([(Page, told[0].Status)], Extents(await client.ReceiveChunkAsync()));
    }

    private static byte[] Ones(int pages) => [.. Enumerable.Repeat((byte)1, pages * (int)Page)];

    private static List<(uint Length, uint Status)> Extents((NbdChunk Kind, bool IsLast, ulong Cookie, byte[] Data) chunk)
    {
        Assert.Equal((NbdChunk.BlockStatus, true), (chunk.Kind, chunk.IsLast));
        return [.. chunk.Data.Skip(4).Chunk(8).Select(one => (BinaryPrimitives.ReadUInt32BigEndian(one), BinaryPrimitives.ReadUInt32BigEndian(one.AsSpan(4))))];
    }

    private static string NamesOf(List<(NbdOptionReply Kind, byte[] Data)> replies)
    {
        Assert.Equal(NbdOptionReply.Ack, replies[^1].Kind);
        return string.Join(' ', replies.SkipLast(1).Select(reply => Encoding.ASCII.GetString(reply.Data.AsSpan(4))));
    }

    private static byte[] Query(Vmo vmo, string names)
    {
        var queries = names.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [.. RawClient.Text(vmo.Handle.Reveal()), .. RawClient.U32((uint)queries.Length), .. queries.SelectMany(RawClient.Text)];
    }

    private static async Task GoAsync(RawClient client, Vmo vmo) =>
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0)))[^1].Kind);

    private async Task<RawClient> GreetedAsync()
    {
        var client = new RawClient(node.Socket);
        await client.GreetAsync();
        await client.AskAsync(NbdOption.StructuredReply);
        return client;
    }
}
