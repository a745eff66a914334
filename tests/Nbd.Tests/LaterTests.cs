using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using VmoCluster.Harness;
using VmoCluster.NbdDoor;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>What a connection or a server was once told does not stay true for ever.</summary>
public sealed class LaterTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const uint Page = Limits.PageBytes;

    // It has nothing to write, and nobody to ask as long as the handle was heard of. Then it asks: it was answered for ever, of a handle that was gone.
    [Fact]
    public async Task A_flush_of_a_handle_that_was_revoked_a_while_ago_is_ESHUTDOWN_and_the_end()
    {
        var (vmo, time, path) = (await node.Client.CreateAsync(1 << 20), new FakeTimeProvider(), node.File("flushed"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        var handle = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Write);
        using var client = await RawClient.OpenAsync(path, handle.Handle.Reveal());
        foreach (var _ in Enumerable.Range(0, 2))
        {
            Assert.Equal(NbdError.None, await FlushedAsync(client));
            time.Advance(TimeSpan.FromSeconds(6));
        }

        Assert.Equal(NbdError.None, await FlushedAsync(client));
        await handle.RevokeAsync();
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(NbdError.Shutdown, await FlushedAsync(client));
        await client.EndWellAsync();
    }

    [Fact]
    public async Task A_flush_that_has_to_ask_and_is_not_answered_in_time_is_EIO_and_one_that_need_not_ask_is_done()
    {
        var (vmo, time, path) = (await node.Client.CreateAsync(1 << 20), new FakeTimeProvider(), node.File("unheard"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time, Patience = TimeSpan.FromSeconds(1) });
        using var client = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        time.Advance(TimeSpan.FromSeconds(6));
        // A write tells as much.
        await client.SendAsync(RawClient.Request(NbdCommand.Write, 0, Page), new byte[Page]);
        Assert.Equal(NbdError.None, (await client.ReceiveSimpleAsync()).Error);
        node.Silo.Pause();
        try
        {
            Assert.Equal(NbdError.None, await FlushedAsync(client));
            time.Advance(TimeSpan.FromSeconds(6));
            Assert.Equal(NbdError.Io, await FlushedAsync(client));
        }
        finally
        {
            node.Silo.Resume();
        }

        await Eventually.UntilAsync("it is done again", async () => await FlushedAsync(client) == NbdError.None);
    }

    // Its clones are its parent's then.
    [Fact]
    public async Task When_a_snapshot_in_the_middle_is_closed_an_old_connection_tells_the_new_depth_a_while_later()
    {
        var root = await node.Client.CreateAsync(2 * Page);
        await root.WriteAsync(0, Enumerable.Repeat((byte)1, (int)Page).ToArray());
        var middle = await root.CloneAsync(VmoKind.Snapshot);
        var top = await middle.CloneAsync(VmoKind.Snapshot);
        var (time, path) = (new FakeTimeProvider(), node.File("depths"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        using var old = await OpenAsync();
        Assert.Equal(3u, await DepthAsync(old));
        await middle.CloseAsync();
        await Eventually.UntilAsync("a new connection tells another depth", async () =>
        {
            using var next = await OpenAsync();
            return await DepthAsync(next) == 2;
        });
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(2u, await DepthAsync(old));

        async Task<RawClient> OpenAsync()
        {
            var (client, name) = (new RawClient(path), RawClient.Text(top.Handle.Reveal()));
            await client.GreetAsync();
            await client.AskAsync(NbdOption.StructuredReply);
            Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.SetMetaContext, name, RawClient.U32(1), RawClient.Text("qemu:allocation-depth")))[^1].Kind);
            Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, name, RawClient.U16(0)))[^1].Kind);
            return client;
        }

        static async Task<uint> DepthAsync(RawClient client)
        {
            await client.SendAsync(RawClient.Request(NbdCommand.BlockStatus, 0, Page));
            var told = await client.ReceiveChunkAsync();
            Assert.Equal((NbdChunk.BlockStatus, true), (told.Kind, told.IsLast));
            return BinaryPrimitives.ReadUInt32BigEndian(told.Data.AsSpan(8));
        }
    }

    [Fact]
    public async Task Connections_beyond_the_most_are_counted_and_told_of_once_a_minute()
    {
        var (vmo, time, path, log, counted) = (await node.Client.CreateAsync(1 << 20), new FakeTimeProvider(), node.File("full"), new ConcurrentQueue<string>(), 0L);
        using var meter = new MeterListener();
        meter.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "vmo.door.calls")
                listener.EnableMeasurementEvents(instrument);
        };
        // Other tests' servers may be full meanwhile: they add to it.
        meter.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new("vmo.call", "connect")) && tags.ToArray().Contains(new("vmo.status", "ECONNREFUSED")))
                Interlocked.Add(ref counted, value);
        });
        meter.Start();
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time, ConnectionsMax = 1 }, log.Enqueue);
        using var taken = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        for (var i = 0; i < 3; i++)
            await TurnedAwayAsync();
        await Eventually.UntilAsync("they are counted", () => Interlocked.Read(ref counted) >= 3);
        Assert.Contains("closed 1 since", Assert.Single(log), StringComparison.Ordinal);
        time.Advance(TimeSpan.FromMinutes(1));
        await TurnedAwayAsync();
        await Eventually.UntilAsync("it is told again", () => log.Count == 2);
        Assert.Contains("closed 3 since", log.Last(), StringComparison.Ordinal);
        Assert.Equal(NbdError.None, await FlushedAsync(taken));

        async Task TurnedAwayAsync()
        {
            using var next = new RawClient(path);
            Assert.True(await next.IsEndedAsync());
        }
    }

    private static async Task<NbdError> FlushedAsync(RawClient client)
    {
        await client.SendAsync(RawClient.Request(NbdCommand.Flush, 0, 0));
        return (await client.ReceiveSimpleAsync()).Error;
    }
}
