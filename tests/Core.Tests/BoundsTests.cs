using VmoCluster.Core.Machine;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P11 of one VMO: what waits for it has a limit; beyond, the newest is told to wait with nothing done, and what was taken is done.</summary>
public class BoundsTests
{
    private const ulong Page = Limits.PageBytes;
    private const int SettleRounds = 8;

    [Fact]
    public void Changes_that_wait_are_so_many_and_a_repeat_of_one_of_them_is_not_refused()
    {
        var vmo = new SimVmo(1, 8192 * Page);
        var requests = Enumerable.Range(0, Limits.QueueCallsPerVmoMax + 10).Select(_ => vmo.NextRequest()).ToList();
        var tickets = requests.Select((request, i) => Write(vmo, request, (ulong)i, [1])).ToList();
        var refused = tickets.Where(ticket => ticket.Reply is not null).ToList();
        // What is on its way to the store may have left the queue.
        Assert.InRange(refused.Count, 8, 10);
        Assert.All(refused, ticket => ToldToWait(ticket, "changes of"));
        Assert.Equal(tickets.TakeLast(refused.Count), refused);
        var repeated = Write(vmo, requests[5], 5, [1]);
        Assert.Null(repeated.Reply);

        Settle(vmo);
        Assert.All(tickets.Except(refused).Append(repeated), ticket => Assert.Null(Assert.IsType<WriteReplies>(ticket.Reply).Outcomes));
        // Nothing of those that were told to wait was done, and they may come again.
        Assert.Equal(0, vmo.Read((ulong)(tickets.Count - 1) * Page, 1).Data[0]);
        Assert.Equal(Outcome.Ok, vmo.Write((ulong)(tickets.Count - 1) * Page, [1], requests[^1]));
    }

    [Fact]
    public void Changes_that_wait_are_so_many_bytes()
    {
        var vmo = new SimVmo(2, 1 << 30);
        // Zeros over zeros would be no change.
        var data = Enumerable.Repeat((byte)1, Limits.MessageBytesMax).ToArray();
        var tickets = Enumerable.Range(0, (Limits.QueueBytesPerVmoMax / data.Length) + 40).Select(i => Write(vmo, vmo.NextRequest(), (ulong)(i * Limits.MessageBytesMax) / Page, data)).ToList();
        var refused = tickets.Where(ticket => ticket.Reply is not null).ToList();
        // A batch is on its way.
        Assert.InRange(refused.Count, 20, 40);
        Assert.All(refused, ticket => ToldToWait(ticket, $"{Limits.QueueBytesPerVmoMax} bytes"));
        Settle(vmo);
        Assert.Null(Assert.IsType<WriteReplies>(Write(vmo, vmo.NextRequest(), 0, data, isDone: true).Reply).Outcomes);
    }

    [Fact]
    public void Large_writes_whose_pieces_are_awaited_are_so_many_bytes_and_those_that_were_begun_go_on()
    {
        var vmo = new SimVmo(3, 1 << 30);
        var requests = Enumerable.Range(0, (Limits.QueueBytesPerVmoMax / Limits.CallBytesMax) + 1).Select(_ => vmo.NextRequest()).ToList();
        var first = requests.Select((request, i) => Piece(vmo, request, i, 0)).ToList();
        Assert.All(first.SkipLast(1), ticket => Assert.Null(ticket.Reply));
        ToldToWait(first[^1], "wait for their pieces");
        var rest = Enumerable.Range(1, (Limits.CallBytesMax / Limits.MessageBytesMax) - 1).Select(piece => Piece(vmo, requests[0], 0, piece)).ToList();
        Settle(vmo, 1);
        Assert.All(rest.Append(first[0]), ticket => Assert.Null(Assert.IsType<WriteReplies>(ticket.Reply).Outcomes));
        Assert.Null(Piece(vmo, requests[^1], requests.Count - 1, 0).Reply);
    }

    [Fact]
    public void Waits_are_so_many()
    {
        var vmo = new SimVmo(4, Page);
        var tickets = Enumerable.Range(0, Limits.WaitsPerVmoMax + 1)
            .Select(_ => vmo.Send(ticket => new CallInput(ticket, new WaitCall(vmo.Head(vmo.Secret), VmoSignals.User0, 10_000)))).ToList();
        Assert.All(tickets.SkipLast(1), ticket => Assert.Null(ticket.Reply));
        var refusal = Assert.IsType<VmoReply>(tickets[^1].Reply).Outcome;
        Assert.Equal((VmoStatus.ShouldWait, true), (refusal.Status, refusal.RetryAfterMs > 0));
    }

    [Fact]
    public void Answers_that_nobody_has_acknowledged_are_so_many_and_make_room_with_time()
    {
        var vmo = new SimVmo(5, 64 * Page);
        for (var taken = 0; taken < RequestRing.EntriesMax; taken += Limits.JoinCallsMax * 32)
        {
            for (var message = 0; message < 32; message++)
            {
                var items = Enumerable.Range(0, Limits.JoinCallsMax).Select(i => new WriteItem(vmo.NextRequest(), (ulong)i * Page, 1)).ToArray();
                vmo.Send(ticket => new WriteInput(ticket, new() { Head = vmo.Head(vmo.Secret), Items = items, Data = Enumerable.Repeat((byte)1, items.Length).ToArray() }));
            }

            Settle(vmo, 1);
        }

        var late = vmo.NextRequest();
        var refusal = vmo.Write(0, [1], late);
        Assert.Equal((VmoStatus.ShouldWait, true), (refusal.Status, refusal.RetryAfterMs > 0));
        Assert.Contains($"{RequestRing.EntriesMax}", refusal.Message, StringComparison.Ordinal);
    }

    private static SimTicket Write(SimVmo vmo, RequestId request, ulong page, byte[] data, bool isDone = false)
    {
        var ticket = vmo.Send(ticket => new WriteInput(ticket, new() { Head = vmo.Head(vmo.Secret), Items = [new(request, page * Page, data.Length)], Data = data }));
        if (isDone)
            Settle(vmo);
        return ticket;
    }

    private static SimTicket Piece(SimVmo vmo, RequestId request, int whole, int piece) => vmo.Send(ticket => new WritePieceInput(ticket, new()
    {
        Head = vmo.Head(vmo.Secret, request), Offset = (ulong)whole * Limits.CallBytesMax, Length = Limits.CallBytesMax, Piece = piece, Data = new byte[Limits.MessageBytesMax],
    }));

    private static void ToldToWait(SimTicket ticket, string why)
    {
        var outcome = Assert.Single(Assert.IsType<WriteReplies>(ticket.Reply).Outcomes!);
        Assert.Equal((VmoStatus.ShouldWait, true), (outcome.Status, outcome.RetryAfterMs > 0));
        Assert.Contains(why, outcome.Message, StringComparison.Ordinal);
    }

    // Time enough for all that waits, and none in which what is staged would be given up.
    private static void Settle(SimVmo vmo, int rounds = SettleRounds)
    {
        for (var round = 0; round < rounds; round++)
        {
            vmo.RunSome(20_000);
            vmo.Advance(50);
        }
    }
}
