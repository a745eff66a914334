using VmoCluster.Core.Machine;
using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P8 where a handle acts on another VMO's pages: a slice and its root, two machines, and every message between them in the test's hand.</summary>
public class AliasTests
{
    private const ulong Page = Limits.PageBytes;

    private readonly SimVmo _root = new(1, 4 * Page, VmoOptions.NonResizable);
    private readonly SimVmo _slice = new(2, 2 * Page, new VmoMeta(
        new(43), VmoKind.Slice, new(42), Page, VmoOptions.NonResizable, "tenant", 0, Page, new PageSource(new(42), Page, 3 * Page, IsResizable: false)));

    [Fact]
    public void A_handle_is_not_ended_while_a_write_through_it_is_on_its_way_and_nothing_follows_the_end()
    {
        var first = Write(0, 7);
        var forward = TakeForward();
        var revoke = _slice.Send(ticket => new CallInput(ticket, new RevokeCall(_slice.Head(_slice.Secret, NextRequest()))));
        _slice.Settle();
        var second = Write(1, 8);
        _slice.Settle();
        Assert.Null(revoke.Reply);
        Assert.Null(second.Reply);
        Assert.Empty(_slice.Outgoing);

        Return(forward, Deliver(forward));
        _slice.Settle();
        Assert.Null(((WriteReplies)first.Reply!).Outcomes);
        Assert.True(((VmoReply)revoke.Reply!).Outcome.IsOk);
        Assert.Equal(VmoStatus.BadHandle, ((WriteReplies)second.Reply!).Outcomes![0].Status);
        Assert.DoesNotContain(_slice.Outgoing, effect => effect is SendForward);
        Assert.Equal([7, 0], _root.Read(Page, 2).Data);
    }

    [Fact]
    public void A_read_that_comes_back_after_its_handles_end_is_refused()
    {
        var read = _slice.Send(ticket => new ReadInput(ticket, new() { Head = _slice.Head(_slice.Secret), Items = [new(0, 1)] }));
        var forward = TakeForward();
        Assert.True(Close().IsOk);
        _root.Write(Page, [9]);
        Return(forward, new() { Reads = new() { Data = _root.Read(Page, 1).Data } });
        Assert.Equal(VmoStatus.BadHandle, ((ReadReplies)read.Reply!).Outcomes![0].Status);
        Assert.Empty(((ReadReplies)read.Reply).Data);
    }

    [Fact]
    public void What_an_earlier_owner_of_the_slice_handed_on_is_fenced_off_before_a_handle_ends()
    {
        Write(0, 7);
        var late = TakeForward();
        Write(1, 8);
        var waiting = TakeForward();
        var waits = Begin(waiting);
        _slice.Reopen();
        var close = _slice.Send(ticket => new CallInput(ticket, new CloseCall(_slice.Head(_slice.Secret, NextRequest()))));
        _slice.Settle();
        Assert.Null(close.Reply);
        var fence = Assert.IsType<TellKin>(Assert.Single(_slice.Outgoing));
        Assert.Equal(new AliasFence(new(43), new(2, 0)), fence.Message);

        var told = _root.Ask<VmoReply>(ticket => new KinInput(ticket, fence.Message));
        Assert.NotNull(waits.Reply);
        var shown = _root.Read(Page, 2).Data;
        _slice.Step(new KinTold(fence, told.Outcome));
        _slice.Settle();
        Assert.True(((VmoReply)close.Reply!).Outcome.IsOk);

        Assert.Equal(VmoStatus.Io, Deliver(late).Outcome.Status);
        _root.Settle();
        Assert.Equal(shown, _root.Read(Page, 2).Data);
        Assert.Equal(0, shown[0]);
    }

    [Fact]
    public void A_call_that_came_to_no_known_end_is_fenced_off_before_a_handle_ends()
    {
        var write = Write(0, 7);
        var lost = TakeForward();
        Return(lost, new() { Outcome = new(VmoStatus.Io, "lost") });
        Assert.Equal(VmoStatus.Io, ((WriteReplies)write.Reply!).Outcomes![0].Status);
        var close = _slice.Send(ticket => new CallInput(ticket, new CloseCall(_slice.Head(_slice.Secret, NextRequest()))));
        _slice.Settle();
        var fence = Assert.IsType<TellKin>(Assert.Single(_slice.Outgoing));
        Assert.Equal(new AliasFence(new(43), new(1, 1)), fence.Message);

        // The first time it cannot be told.
        _slice.Step(new KinTold(fence, new(VmoStatus.Io, "nobody answers")));
        _slice.Outgoing.Clear();
        _slice.Settle();
        Assert.Null(close.Reply);
        fence = Assert.IsType<TellKin>(Assert.Single(_slice.Outgoing));
        _slice.Step(new KinTold(fence, _root.Ask<VmoReply>(ticket => new KinInput(ticket, fence.Message)).Outcome));
        _slice.Settle();
        Assert.True(((VmoReply)close.Reply!).Outcome.IsOk);
        Assert.Equal(VmoStatus.Io, Deliver(lost).Outcome.Status);
        _root.Settle();
        Assert.Equal(0, _root.Read(Page, 1).Data[0]);
    }

    [Fact]
    public void A_good_handle_whose_call_was_fenced_off_by_a_move_is_told_to_try_again()
    {
        var write = Write(0, 7);
        var forward = TakeForward();
        Return(forward, new() { Writes = WriteReplies.Fail(new(VmoStatus.BadHandle), 1) });
        Assert.Equal(VmoStatus.Io, ((WriteReplies)write.Reply!).Outcomes![0].Status);
    }

    [Fact]
    public void A_repeat_gets_the_first_answer_also_when_both_VMOs_have_moved_between()
    {
        _root.Write(Page, [1]);
        var zero = new OpRangeCall(_slice.Head(_slice.Secret, NextRequest()), VmoOp.Zero, new(0, 1));
        Assert.Equal(Outcome.Ok, Ask(zero));
        _root.Write(Page, [2]);
        _root.Reopen();
        _slice.Reopen();
        Assert.Equal(Outcome.Ok, Ask(zero));
        Assert.Equal(2, _root.Read(Page, 1).Data[0]);
        Assert.Equal(VmoStatus.InvalidArgs, Ask(zero with { Range = new(1, 1) }).Status);
    }

    [Fact]
    public void What_lets_a_slice_in_is_no_handle_and_opens_the_window_alone()
    {
        Write(0, 7);
        var forward = TakeForward();
        Assert.True(Deliver(forward).Outcome.IsOk);
        Assert.Equal(1, _root.Info().HandleCount);
        Assert.Equal(default, forward.Call.Writes!.Head.Secret);
        var outside = forward.Call.Writes.Items[0] with { Request = NextRequest(), Offset = 0 };
        var refused = Deliver(forward.Call.Pass, new() { Head = forward.Call.Writes.Head, Items = [outside], Data = [1] });
        Assert.Equal(VmoStatus.OutOfRange, refused.Writes!.Outcomes![0].Status);
        _root.Step(TickInput.Value);
        _root.Reopen();
        Assert.Equal(1, _root.Info().HandleCount);
    }

    // Of another client than those of the root's own calls.
    private RequestId NextRequest() => _slice.NextRequest() with { Client = 77 };

    private SimTicket Write(ulong offset, byte value) => _slice.Send(ticket => new WriteInput(ticket, new()
    {
        Head = _slice.Head(_slice.Secret), Items = [new(NextRequest(), offset, 1)], Data = [value],
    }));

    private Outcome Close() => _slice.Call(new CloseCall(_slice.Head(_slice.Secret, NextRequest()))).Outcome;

    private Outcome Ask(OpRangeCall call)
    {
        var ticket = _slice.Send(waiting => new CallInput(waiting, call));
        var forward = TakeForward();
        var admitted = _root.Machine.Admit(forward.Call.Pass, HandleSecret.Create(), _root.Now, out var secret);
        Assert.True(admitted.IsOk);
        var handed = forward.Call.Call!;
        Return(forward, new() { Reply = _root.Call(handed with { Head = handed.Head with { Secret = secret } }) });
        return ((VmoReply)ticket.Reply!).Outcome;
    }

    private SendForward TakeForward()
    {
        var forward = Assert.IsType<SendForward>(Assert.Single(_slice.Outgoing));
        Assert.Equal(new Koid(42), forward.Target);
        _slice.Outgoing.Clear();
        return forward;
    }

    private void Return(SendForward forward, ForwardReply reply) => _slice.Step(new ForwardDone(forward, reply));

    private ForwardReply Deliver(SendForward forward) => Deliver(forward.Call.Pass, forward.Call.Writes!);

    private ForwardReply Deliver(AliasPass pass, WriteCalls writes)
    {
        var outcome = _root.Machine.Admit(pass, HandleSecret.Create(), _root.Now, out var secret);
        return outcome.IsOk ? new() { Writes = _root.Ask<WriteReplies>(ticket => Input(ticket, writes, secret)) } : new() { Outcome = outcome };
    }

    // It stands in the root's queue and is not answered yet.
    private SimTicket Begin(SendForward forward)
    {
        Assert.True(_root.Machine.Admit(forward.Call.Pass, HandleSecret.Create(), _root.Now, out var secret).IsOk);
        var ticket = _root.Send(waiting => Input(waiting, forward.Call.Writes!, secret));
        Assert.Null(ticket.Reply);
        return ticket;
    }

    private static WriteInput Input(Ticket ticket, WriteCalls writes, HandleSecret secret) =>
        new(ticket, new() { Head = writes.Head with { Secret = secret }, Items = writes.Items, Data = writes.Data });
}
