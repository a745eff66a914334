using System.Buffers.Binary;
using System.Net.Sockets;
using VmoCluster.Harness;
using VmoCluster.NbdDoor;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>How a connection ends: what was taken has its answer, the client has it too, and what a client leaves behind is not forgotten.</summary>
public sealed class EndingTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const int Page = Limits.PageBytes;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_request_of_a_handle_that_is_gone_is_ESHUTDOWN_and_the_connection_ends_well(bool isSecret)
    {
        var authority = TestAuthority.Issue(node.File(""), "ending");
        var certificate = new NbdCertificate(node.File("ending/server.pem"), node.File("ending/server.key"), _ => { });
        var path = node.File(isSecret ? "gone-tls" : "gone");
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { Certificate = isSecret ? certificate.Current : null, Drain = TimeSpan.FromSeconds(5) });
        var vmo = await node.Client.CreateAsync(64 << 20);
        var handle = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Write);
        using var client = await RawClient.OpenAsync(path, handle.Handle.Reveal(), isStructured: true, isSecret ? authority : null);
        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, Page));
        Assert.Equal(NbdChunk.OffsetData, (await client.ReceiveChunkAsync()).Kind);
        await handle.RevokeAsync();

        var cookie = 0ul;
        var requests = Enumerable.Range(0, 4).SelectMany(i => new[]
        {
            RawClient.Request(NbdCommand.Read, 0, Page, cookie++), RawClient.Request(NbdCommand.Read, 0, 4 << 20, cookie++), RawClient.Request(NbdCommand.Trim, 0, 1 << 20, cookie++),
            RawClient.Request(NbdCommand.Write, 0, Page, cookie++), new byte[Page], RawClient.Request(NbdCommand.Write, 0, 1 << 18, cookie++), new byte[1 << 18],
        }).ToArray();
        var sending = client.SendAsync(requests);
        var told = new SortedDictionary<ulong, NbdError>();
        while (told.Count < 20)
        {
            var chunk = await client.ReceiveChunkAsync();
            Assert.Equal((NbdChunk.Error, true), (chunk.Kind, chunk.IsLast));
            told.Add(chunk.Cookie, (NbdError)BinaryPrimitives.ReadUInt32BigEndian(chunk.Data));
        }

        await sending;
        Assert.All(told.Values, error => Assert.Equal(NbdError.Shutdown, error));
        await client.EndWellAsync();
        // It was not written through it.
        var there = new byte[Page];
        await vmo.ReadAsync(0, there);
        Assert.All(there, one => Assert.Equal(0, one));
    }

    // The silo stands still while the server is told to end.
    [Fact]
    public async Task A_server_that_ends_answers_what_it_has_taken_and_lets_the_client_read_it()
    {
        const int Reads = 8;
        var (vmo, path) = (await node.Client.CreateAsync(1 << 20), node.File("stopped"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { RequestsMax = Reads + 1, Drain = TimeSpan.FromSeconds(20) });
        using var client = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        node.Silo.Pause();
        Task ending;
        try
        {
            await client.SendAsync([.. Enumerable.Range(0, Reads).Select(i => RawClient.Request(NbdCommand.Read, (ulong)i * Page, Page, (ulong)i)), RawClient.Request(NbdCommand.Flush, 0, 0, Reads)]);
            // Requests are taken in their order.
            Assert.Equal((NbdError.None, (ulong)Reads), await client.ReceiveSimpleAsync());
            ending = server.DisposeAsync().AsTask();
            // These it does not take any more. That they lie there unread must not cost the client its answers.
            await client.SendAsync([.. Enumerable.Range(0, 1000).Select(i => RawClient.Request(NbdCommand.Read, 0, Page, 100))]);
        }
        finally
        {
            node.Silo.Resume();
        }

        var (taken, answered) = (Enumerable.Range(0, Reads).Select(i => (ulong)i).ToArray(), new HashSet<ulong>());
        while (!answered.IsSupersetOf(taken))
        {
            var (error, cookie) = await client.ReceiveSimpleAsync();
            Assert.Equal(NbdError.None, error);
            await client.ReceiveAsync(Page);
            answered.Add(cookie);
        }

        await client.EndWellAsync();
        client.Dispose();
        await ending.WaitAsync(TimeSpan.FromSeconds(20));
    }

    // Reads are given up with the client who wanted them. A write goes on, and takes a connection until it is done.
    [Fact]
    public async Task What_a_client_leaves_behind_is_given_up_or_counts_until_it_is_done()
    {
        var (vmo, path) = (await node.Client.CreateAsync(1 << 20), node.File("left-behind"));
        var name = vmo.Handle.Reveal();
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { ConnectionsMax = 1, Patience = TimeSpan.FromSeconds(60) });
        var (reader, page) = (await RawClient.OpenAsync(path, name), Enumerable.Repeat((byte)7, Page).ToArray());
        node.Silo.Pause();
        try
        {
            await reader.SendAsync([.. Enumerable.Range(0, 32).Select(i => RawClient.Request(NbdCommand.Read, (ulong)i * Page, Page)), RawClient.Request(NbdCommand.Flush, 0, 0)]);
            // It has taken the reads when it has answered the last request. Left unread, that tells it that its client will read no more; one that has merely said all might.
            await Eventually.UntilAsync("the last request is answered", () => Task.FromResult(reader.HasUnread));
            Assert.False(await IsTakenAsync());
            reader.Dispose();
            // The silo answers none of the reads as long as it stands still.
            await Eventually.UntilAsync("the reads are given up", IsTakenAsync);
        }
        finally
        {
            node.Silo.Resume();
        }

        RawClient? writer = null;
        await Eventually.UntilAsync("the last one's place is free", async () =>
        {
            try
            {
                writer = await RawClient.OpenAsync(path, name);
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        });
        node.Silo.Pause();
        try
        {
            await writer!.SendAsync(RawClient.Request(NbdCommand.Write, 0, Page), page, RawClient.Request(NbdCommand.Flush, 0, 0));
            await Eventually.UntilAsync("the last request is answered", () => Task.FromResult(writer!.HasUnread));
            writer.Dispose();
            await Task.Delay(TimeSpan.FromSeconds(1));
            Assert.False(await IsTakenAsync());
        }
        finally
        {
            node.Silo.Resume();
        }

        await Eventually.UntilAsync("the write is done", IsTakenAsync);
        var there = new byte[Page];
        await vmo.ReadAsync(0, there);
        Assert.Equal(page, there);

        // Whether there is room for one more connection, which ends at once.
        async Task<bool> IsTakenAsync()
        {
            using var next = new RawClient(path);
            try
            {
                await next.GreetAsync();
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Who_does_not_agree_on_an_export_within_the_time_is_disconnected()
    {
        var path = node.File("hesitant");
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { HandshakeWithin = TimeSpan.FromMilliseconds(300) });
        using var silent = new RawClient(path);
        using var talking = new RawClient(path);
        await talking.GreetAsync();
        await talking.SendAsync([.. RawClient.Option(NbdOption.Go, new byte[100]).Take(30)]);
        Assert.True(await silent.IsEndedAsync());
        Assert.True(await talking.IsEndedAsync());
    }
}
