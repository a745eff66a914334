using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using VmoCluster.Client;
using VmoCluster.NbdDoor;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>What the protocol says of options and requests that the usual clients seldom send.</summary>
public sealed class ProtocolTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const int Page = Limits.PageBytes;
    private const uint PayloadMost = 32 << 20;

    [Fact]
    public async Task An_old_client_that_spares_itself_the_zeros_gets_ten_bytes()
    {
        var vmo = await NewAsync(1 << 20);
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        await client.SendAsync(RawClient.Option(NbdOption.ExportName, Encoding.ASCII.GetBytes(vmo.Handle.Reveal())), RawClient.Request(NbdCommand.Read, 0, Page, cookie: 5));
        Assert.Equal(1UL << 20, BinaryPrimitives.ReadUInt64BigEndian(await client.ReceiveAsync(10)));
        Assert.Equal((NbdError.None, 5UL), await client.ReceiveSimpleAsync());
        Assert.All(await client.ReceiveAsync(Page), there => Assert.Equal(9, there));
    }

    [Fact]
    public async Task Options_are_answered_as_the_protocol_says_and_none_of_them_ends_the_handshake()
    {
        var name = RawClient.Text((await NewAsync(1 << 20)).Handle.Reveal());
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        Assert.Equal(NbdOptionReply.Invalid, Assert.Single(await client.AskAsync(NbdOption.List, [1])).Kind);
        Assert.Equal(NbdOptionReply.Unsupported, Assert.Single(await client.AskAsync((NbdOption)4)).Kind);
        Assert.Equal(NbdOptionReply.Unsupported, Assert.Single(await client.AskAsync((NbdOption)11)).Kind);
        Assert.Equal(NbdOptionReply.Unsupported, Assert.Single(await client.AskAsync(NbdOption.StartTls)).Kind);
        // Contexts need structured replies, and there are not so many of them.
        Assert.Equal(NbdOptionReply.Invalid, Assert.Single(await client.AskAsync(NbdOption.SetMetaContext, name, RawClient.U32(0))).Kind);
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(await client.AskAsync(NbdOption.StructuredReply)).Kind);
        Assert.Equal(NbdOptionReply.TooBig, Assert.Single(await client.AskAsync(NbdOption.ListMetaContext, name, RawClient.U32(65), [.. Enumerable.Repeat(RawClient.Text("base:"), 65).SelectMany(text => text)])).Kind);
        Assert.Equal(4, (await client.AskAsync(NbdOption.ListMetaContext, name, RawClient.U32(0))).Count);
        byte[][] all = [name, RawClient.U16(3), RawClient.U16((ushort)NbdInfo.Export), RawClient.U16((ushort)NbdInfo.BlockSize), RawClient.U16((ushort)NbdInfo.Description)];
        var told = await client.AskAsync(NbdOption.Info, all);
        Assert.Equal(NbdOptionReply.Ack, told[^1].Kind);
        var agreed = await client.AskAsync(NbdOption.Go, all);
        Assert.Equal(told.Select(one => (one.Kind, Convert.ToHexString(one.Data))), agreed.Select(one => (one.Kind, Convert.ToHexString(one.Data))));
        Assert.Equal(PayloadMost, BinaryPrimitives.ReadUInt32BigEndian(agreed.Single(one => one.Data is [0, (byte)NbdInfo.BlockSize, ..]).Data.AsSpan(10)));

        using var leaving = new RawClient(node.Socket);
        await leaving.GreetAsync();
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(await leaving.AskAsync(NbdOption.Abort)).Kind);
        Assert.True(await leaving.IsEndedAsync());
    }

    [Fact]
    public async Task Requests_that_are_not_understood_or_too_long_fail_alone()
    {
        var vmo = await NewAsync(64 << 20);
        using var client = await RawClient.OpenAsync(node.Socket, vmo.Handle.Reveal());
        foreach (var (command, flags, length, error) in new[]
        {
            (NbdCommand.Read, NbdCommandFlags.None, PayloadMost + 1, NbdError.Overflow), ((NbdCommand)9, NbdCommandFlags.None, 0u, NbdError.Invalid),
            ((NbdCommand)0xffff, NbdCommandFlags.None, 0u, NbdError.Invalid), (NbdCommand.Flush, NbdCommandFlags.None, 1u, NbdError.Invalid), (NbdCommand.Read, NbdCommandFlags.None, 0u, NbdError.Invalid),
            (NbdCommand.Read, NbdCommandFlags.DontFragment, 512u, NbdError.Invalid), (NbdCommand.BlockStatus, NbdCommandFlags.None, 512u, NbdError.Invalid),
            (NbdCommand.WriteZeroes, NbdCommandFlags.FastZero, 512u, NbdError.NotSupported),
        })
        {
            await client.SendAsync(RawClient.Request(command, 0, length, cookie: 3, flags));
            Assert.Equal((error, 3UL), await client.ReceiveSimpleAsync());
        }

        // The payload of a write with a flag that there is not is read over: the next request is understood.
        await client.SendAsync(RawClient.Request(NbdCommand.Write, 0, Page, cookie: 4, (NbdCommandFlags)0x8000), new byte[Page]);
        Assert.Equal((NbdError.Invalid, 4UL), await client.ReceiveSimpleAsync());
        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, PayloadMost, cookie: 6));
        Assert.Equal((NbdError.None, 6UL), await client.ReceiveSimpleAsync());
        var bytes = await client.ReceiveAsync((int)PayloadMost);
        Assert.Equal((9, 9, 0), (bytes[0], bytes[Page - 1], bytes[^1]));
        // What follows a write as long as that, nobody can tell.
        await client.SendAsync(RawClient.Request(NbdCommand.Write, 0, PayloadMost + 1));
        Assert.True(await client.IsEndedAsync());
    }

    [Fact]
    public async Task A_long_read_comes_in_pieces_and_in_one_where_it_must_not()
    {
        var vmo = await NewAsync(8 << 20);
        using var client = await RawClient.OpenAsync(node.Socket, vmo.Handle.Reveal(), isStructured: true);
        foreach (var flags in new[] { NbdCommandFlags.None, NbdCommandFlags.DontFragment })
        {
            await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, 4 << 20, cookie: 8, flags));
            var chunks = new List<(NbdChunk Kind, bool IsLast, ulong Cookie, byte[] Data)>();
            do
                chunks.Add(await client.ReceiveChunkAsync());
            while (!chunks[^1].IsLast);
            Assert.All(chunks, chunk => Assert.Equal((NbdChunk.OffsetData, 8UL), (chunk.Kind, chunk.Cookie)));
            Assert.Equal(4 << 20, chunks.Sum(chunk => chunk.Data.Length - 8));
            Assert.Equal(flags == NbdCommandFlags.DontFragment, chunks.Count == 1);
        }
    }

    // Nothing says in which order requests are done: a short one does not wait behind a long one.
    [Fact]
    public async Task A_short_read_overtakes_a_long_one()
    {
        var vmo = await NewAsync(64 << 20);
        await vmo.WriteAsync(0, new byte[32 << 20]);
        using var client = await RawClient.OpenAsync(node.Socket, vmo.Handle.Reveal());
        var overtaken = 0;
        for (var round = 0; round < 20; round++)
        {
            await client.SendAsync(RawClient.Request(NbdCommand.Cache, 0, 32 << 20, cookie: 1), RawClient.Request(NbdCommand.Read, 40 << 20, Page, cookie: 2));
            for (var i = 0; i < 2; i++)
            {
                var (error, cookie) = await client.ReceiveSimpleAsync();
                Assert.Equal(NbdError.None, error);
                overtaken += i == 0 && cookie == 2 ? 1 : 0;
                if (cookie == 2)
                    await client.ReceiveAsync(Page);
            }
        }

        Assert.True(overtaken > 0, "the short read came second each time");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_handle_that_has_ended_under_a_connection_is_ESHUTDOWN_and_the_connection_ends(bool isRevoked)
    {
        var vmo = await NewAsync(1 << 20);
        var handle = await vmo.DuplicateAsync(VmoRights.Read, expires: isRevoked ? null : DateTimeOffset.UtcNow.AddSeconds(2));
        using var client = await RawClient.OpenAsync(node.Socket, handle.Handle.Reveal(), isStructured: true);
        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, Page));
        Assert.Equal(NbdChunk.OffsetData, (await client.ReceiveChunkAsync()).Kind);
        if (isRevoked)
            await handle.RevokeAsync();
        else
            await Task.Delay(TimeSpan.FromSeconds(2.5));
        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, Page));
        var chunk = await client.ReceiveChunkAsync();
        Assert.Equal((NbdChunk.Error, true, NbdError.Shutdown), (chunk.Kind, chunk.IsLast, (NbdError)BinaryPrimitives.ReadUInt32BigEndian(chunk.Data)));
        Assert.True(await client.IsEndedAsync());
    }

    [Fact]
    public async Task A_VMO_that_has_become_smaller_has_no_room_for_a_write_behind_its_end()
    {
        var vmo = await NewAsync(1 << 20);
        using var client = await RawClient.OpenAsync(node.Socket, vmo.Handle.Reveal());
        await vmo.SetSizeAsync(1 << 19);
        await client.SendAsync(RawClient.Request(NbdCommand.Write, 1 << 19, Page), new byte[Page], RawClient.Request(NbdCommand.WriteZeroes, 1 << 19, Page), RawClient.Request(NbdCommand.Read, 1 << 19, Page));
        var seen = new List<NbdError>();
        for (var i = 0; i < 3; i++)
            seen.Add((await client.ReceiveSimpleAsync()).Error);
        Assert.Equal([NbdError.Invalid, NbdError.NoSpace, NbdError.NoSpace], seen.Order());
    }

    // Whoever copies a disk leaves out what is told to be zeros.
    [Fact]
    public async Task What_lies_behind_the_end_of_a_VMO_that_has_become_smaller_is_not_told_to_be_zeros()
    {
        var vmo = await NewAsync(1 << 20);
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        var name = vmo.Handle.Reveal();
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.StructuredReply))[^1].Kind);
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.SetMetaContext, RawClient.Text(name), RawClient.U32(1), RawClient.Text("base:allocation")))[^1].Kind);
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, RawClient.Text(name), RawClient.U16(0)))[^1].Kind);
        await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, 1 << 20));
        Assert.Equal(NbdChunk.BlockStatus, (await client.ReceiveChunkAsync()).Kind);

        await vmo.SetSizeAsync(1 << 19);
        await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, 1 << 20));
        var beyond = await client.ReceiveChunkAsync();
        Assert.Equal((NbdChunk.Error, NbdError.Invalid), (beyond.Kind, (NbdError)BinaryPrimitives.ReadUInt32BigEndian(beyond.Data)));
        await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, 1 << 19));
        Assert.Equal(NbdChunk.BlockStatus, (await client.ReceiveChunkAsync()).Kind);
    }

    [Fact]
    public async Task A_handle_for_a_part_of_a_VMO_is_refused_with_what_to_do()
    {
        var vmo = await NewAsync(1 << 20);
        var part = await vmo.DuplicateAsync(VmoRights.Read, range: new(4096, 8192));
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        var (kind, data) = (await client.AskAsync(NbdOption.Go, RawClient.Text(part.Handle.Reveal()), RawClient.U16(0)))[^1];
        Assert.Equal(NbdOptionReply.Policy, kind);
        Assert.Contains("4096 to 12288 of 1048576", Encoding.UTF8.GetString(data), StringComparison.Ordinal);
    }

    // What it was sent fills its socket; what it says then ends its connection.
    [Fact]
    public async Task A_server_ends_in_time_whatever_clients_do_that_read_nothing()
    {
        var vmo = await NewAsync(1 << 20);
        await vmo.WriteAsync(0, Enumerable.Repeat((byte)9, 1 << 20).ToArray());
        var path = node.File("ends");
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client);
        using var nonsense = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        using var goodbye = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        foreach (var (client, last) in new[] { (nonsense, new byte[28]), (goodbye, RawClient.Request(NbdCommand.Disconnect, 0, 0)) })
        {
            await client.SendAsync([.. Enumerable.Range(0, 96).Select(_ => RawClient.Request(NbdCommand.Read, 0, 64 << 10))]);
            await client.SendAsync(last);
        }

        await Task.Delay(TimeSpan.FromSeconds(0.5));
        await server.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Theory]
    [InlineData(0UL, false)]
    [InlineData(1000UL, true)]
    [InlineData(1UL << 63, false)]
    [InlineData((1UL << 63) - 4096, true)]
    public async Task A_size_that_NBD_cannot_say_is_refused_with_why(ulong size, bool isDisk)
    {
        var vmo = await node.Client.CreateAsync(size);
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        var (kind, data) = (await client.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0)))[^1];
        Assert.Equal(isDisk ? NbdOptionReply.Ack : NbdOptionReply.Policy, kind);
        if (!isDisk)
        {
            Assert.Contains($"{size} bytes", Encoding.UTF8.GetString(data), StringComparison.Ordinal);
            return;
        }

        // Whole pages, the last byte of them.
        await client.SendAsync(RawClient.Request(NbdCommand.Read, ((size + Page - 1) / Page * Page) - 1, 1));
        Assert.Equal(NbdError.None, (await client.ReceiveSimpleAsync()).Error);
    }

    // A long stretch of zeros over something is a run of its own, of which a VMO has 64.
    [Theory]
    [InlineData(VmoKind.Live)]
    [InlineData(VmoKind.Snapshot)]
    public async Task A_clone_is_trimmed_in_as_many_places_as_a_file_system_likes(VmoKind kind)
    {
        const ulong Apart = 4 << 20;
        var root = await node.Client.CreateAsync(512 << 20);
        for (var i = 0ul; i < 100; i++)
            await root.WriteAsync((i * Apart) + 4096, new byte[] { 1 });
        var clone = await root.CloneAsync(kind);
        using var client = await RawClient.OpenAsync(node.Socket, clone.Handle.Reveal());
        for (var i = 0ul; i < 100; i++)
        {
            await client.SendAsync(RawClient.Request(i % 2 == 0 ? NbdCommand.Trim : NbdCommand.WriteZeroes, (i * Apart) + 512, 3 << 19, cookie: i));
            Assert.Equal((NbdError.None, i), await client.ReceiveSimpleAsync());
        }

        for (var i = 0ul; i < 100; i++)
        {
            var (page, below) = (new byte[1], new byte[1]);
            await clone.ReadAsync((i * Apart) + 4096, page);
            await root.ReadAsync((i * Apart) + 4096, below);
            Assert.Equal((0, 1), (page[0], below[0]));
        }
    }

    // Also where it is asked to be fast, to leave no hole, or both; a part of a page is written where nothing else is asked.
    [Theory]
    [InlineData(VmoKind.Live)]
    [InlineData(VmoKind.Snapshot)]
    public async Task Zeros_over_what_lies_below_are_zeros_however_they_are_asked_for(VmoKind kind)
    {
        const uint Bytes = 16 * Page;
        var root = await node.Client.CreateAsync(1 << 20);
        var right = Enumerable.Repeat((byte)9, 1 << 20).ToArray();
        await root.WriteAsync(0, right);
        var clone = await root.CloneAsync(kind);
        using var client = await RawClient.OpenAsync(node.Socket, clone.Handle.Reveal());
        var at = 0u;
        foreach (var (flags, length) in new[]
        {
            (NbdCommandFlags.None, Bytes), (NbdCommandFlags.FastZero, Bytes), (NbdCommandFlags.NoHole, Bytes), (NbdCommandFlags.FastZero | NbdCommandFlags.NoHole, Bytes),
            (NbdCommandFlags.FastZero | NbdCommandFlags.ForceUnitAccess, Bytes), (NbdCommandFlags.NoHole, Bytes - 700),
        })
        {
            await client.SendAsync(RawClient.Request(NbdCommand.WriteZeroes, at, length, cookie: at, flags));
            Assert.Equal((NbdError.None, (ulong)at), await client.ReceiveSimpleAsync());
            right.AsSpan((int)at, (int)length).Clear();
            at += 2 * Bytes;
        }

        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, 1 << 20));
        Assert.Equal(NbdError.None, (await client.ReceiveSimpleAsync()).Error);
        var shown = await client.ReceiveAsync(1 << 20);
        Assert.True(right.AsSpan().SequenceEqual(shown), $"differs at {right.AsSpan().CommonPrefixLength(shown)}");
        // Nothing of it is the root's.
        var below = new byte[1 << 20];
        await root.ReadAsync(0, below);
        Assert.All(below, one => Assert.Equal(9, one));
    }

    // Its first page is of nines.
    private async Task<Vmo> NewAsync(ulong size)
    {
        var vmo = await node.Client.CreateAsync(size);
        await vmo.WriteAsync(0, Enumerable.Repeat((byte)9, Page).ToArray());
        return vmo;
    }
}
