using System.Collections.Concurrent;
using System.Net.Sockets;
using VmoCluster.Harness;
using VmoCluster.NbdDoor;
using VmoCluster.NbdDoor.Serving;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>The room that all connections of a server share, and what each has by itself.</summary>
public sealed class SharedRoomTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const int Share = RequestRoom.ShareBytes;

    [Fact]
    public async Task Small_requests_go_on_while_others_have_taken_all_there_is()
    {
        var shared = new SharedRoom(1000, TimeProvider.System);
        var (greedy, patient) = (RoomOf(shared), RoomOf(shared));
        await greedy.EnterAsync(Share + 1000);
        await patient.EnterAsync(Share);
        var more = patient.EnterAsync(1).AsTask();
        Assert.False(more.IsCompleted);
        // What it has by itself is enough again.
        patient.Leave(Share);
        await more;
        var large = patient.EnterAsync(Share + 10).AsTask();
        Assert.False(large.IsCompleted);
        greedy.Leave(Share + 1000);
        await large;
        Assert.Equal(11, shared.Bytes);
        patient.Leave(Share + 10);
        patient.Leave(1);
        Assert.Equal(0, shared.Bytes);
        Assert.Equal(TimeSpan.Zero, shared.LongestWait);
    }

    [Fact]
    public async Task The_first_in_line_is_next_and_who_has_left_it_has_taken_nothing()
    {
        var shared = new SharedRoom(1000, TimeProvider.System);
        var (greedy, first, second, third) = (RoomOf(shared), RoomOf(shared), RoomOf(shared), RoomOf(shared));
        await greedy.EnterAsync(Share + 900);
        using var impatience = new CancellationTokenSource();
        var left = first.EnterAsync(Share + 800, impatience.Token).AsTask();
        var next = second.EnterAsync(Share + 500).AsTask();
        var last = third.EnterAsync(Share + 100).AsTask();
        // It would fit, and nobody passes.
        Assert.False(last.IsCompleted);
        Assert.True(shared.LongestWait > TimeSpan.Zero);
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await first.EmptyAsync();
        greedy.Leave(Share + 900);
        await next;
        await last;
        Assert.Equal(600, shared.Bytes);
    }

    [Fact]
    public async Task Many_connections_at_once_never_have_more_than_there_is_and_all_come_in()
    {
        const int Most = 200_000;
        var shared = new SharedRoom(Most, TimeProvider.System);
        var above = 0L;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(seed => Task.Run(async () =>
        {
            var (room, random, inside) = (RoomOf(shared), new Random(seed), new Queue<int>());
            for (var i = 0; i < 3000; i++)
            {
                var bytes = random.Next(Share * 2);
                using var patience = new CancellationTokenSource();
                var entering = room.EnterAsync(bytes, patience.Token).AsTask();
                // What is inside leaves while it waits, as answers are sent.
                while (!entering.IsCompleted && inside.TryDequeue(out var old))
                    room.Leave(old);
                if (random.Next(8) == 0)
                    await patience.CancelAsync();
                try
                {
                    await entering;
                    inside.Enqueue(bytes);
                }
                catch (OperationCanceledException)
                {
                    // It has given up.
                }

                InterlockedMax(ref above, shared.Bytes);
                if (inside.Count > random.Next(4))
                    room.Leave(inside.Dequeue());
            }

            while (inside.TryDequeue(out var old))
                room.Leave(old);
            await room.EmptyAsync();
        })));
        Assert.InRange(above, 1, Most);
        Assert.Equal((0, TimeSpan.Zero), (shared.Bytes, shared.LongestWait));
    }

    // Each holds all the room there is, one after the other, and takes nothing.
    [Fact]
    public async Task Clients_that_take_nothing_are_ended_when_others_wait_for_their_room_and_small_requests_need_none()
    {
        const int Greedy = 4, All = 32 << 20, Large = 1 << 20;
        var (vmo, path, log) = (await node.Client.CreateAsync(All), node.File("greedy"), new ConcurrentQueue<string>());
        await vmo.WriteAsync(0, RawClient.PageOf(7));
        await using var server = NbdServer.Listen(
            new UnixDomainSocketEndPoint(path), node.Client, new() { PayloadBytesMaxOfAll = All, StalledWithin = TimeSpan.FromSeconds(2) }, log.Enqueue);
        var greedy = new List<RawClient>();
        try
        {
            for (var i = 0; i < Greedy; i++)
            {
                greedy.Add(await RawClient.OpenAsync(path, vmo.Handle.Reveal()));
                await greedy[i].SendAsync(RawClient.Request(NbdCommand.Read, 0, All));
            }

            await Eventually.UntilAsync("the first has something to read", () => greedy.Any(one => one.HasUnread));
            using var patient = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
            await ReadAsync(patient, Limits.PageBytes);
            await ReadAsync(patient, Large);
            Assert.InRange(log.Count(line => line.Contains("its client took nothing", StringComparison.Ordinal)), 1, Greedy);
            Assert.True(await greedy[0].IsEndedAsync());
        }
        finally
        {
            greedy.ForEach(one => one.Dispose());
        }
    }

    [Fact]
    public void Less_room_than_the_largest_read_needs_is_refused() => Assert.Contains(
        "33554431 bytes for all connections; at least 33554432",
        Assert.Throws<NbdSetupException>(() => NbdServer.Listen(new UnixDomainSocketEndPoint(node.File("less")), node.Client, new() { PayloadBytesMaxOfAll = (32 << 20) - 1 })).Message,
        StringComparison.Ordinal);

    private static async Task ReadAsync(RawClient client, int bytes)
    {
        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, (uint)bytes));
        Assert.Equal(NbdError.None, (await client.ReceiveSimpleAsync()).Error);
        var shown = await client.ReceiveAsync(bytes);
        Assert.True(RawClient.PageOf(7).AsSpan().SequenceEqual(shown.AsSpan(0, Limits.PageBytes)), "other bytes are shown");
    }

    private static RequestRoom RoomOf(SharedRoom shared) => new(requestsMost: 8, bytesMost: 4 * Share, shared);

    private static void InterlockedMax(ref long most, long value)
    {
        for (var seen = Volatile.Read(ref most); seen < value; seen = Volatile.Read(ref most))
            Interlocked.CompareExchange(ref most, value, seen);
    }
}
