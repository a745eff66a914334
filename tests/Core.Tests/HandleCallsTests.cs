using VmoCluster.Core.Handles;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P8 on the core: duplicate, replace, close, revoke, renew, expiry, ranges, confirmation (semantics 1.6 and rulings).</summary>
public class HandleCallsTests
{
    private static readonly HandleSecret Other = new(1, 2);
    private static readonly HandleSecret Third = new(3, 4);

    [Fact]
    public void A_duplicate_has_the_rights_asked_for_and_never_more()
    {
        var vmo = new SimVmo(1, 4096);
        var reply = Duplicate(vmo, vmo.Secret, Other, VmoRights.Read | VmoRights.Duplicate);
        Assert.Equal(VmoRights.Read | VmoRights.Duplicate, reply.Rights);
        Assert.Equal(VmoStatus.InvalidArgs, Duplicate(vmo, Other, Third, VmoRights.Read | VmoRights.Write).Outcome.Status);
        Assert.Equal(VmoStatus.InvalidArgs, Duplicate(vmo, Other, Third, VmoRights.Execute).Outcome.Status);
        Assert.Equal(VmoStatus.InvalidArgs, Duplicate(vmo, Other, Third, VmoRights.SameRights | VmoRights.Read).Outcome.Status);
        Assert.Equal(VmoRights.Read | VmoRights.Duplicate, Duplicate(vmo, Other, Third, VmoRights.SameRights).Rights);
        Assert.Equal(3, vmo.Info().HandleCount);
    }

    [Fact]
    public void Without_the_right_to_duplicate_nothing_is_made()
    {
        var vmo = new SimVmo(2, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.Read);
        Assert.Equal(VmoStatus.AccessDenied, Duplicate(vmo, Other, Third, VmoRights.None).Outcome.Status);
        Assert.Equal(VmoStatus.BadHandle, Duplicate(vmo, new(9, 9), Third, VmoRights.None).Outcome.Status);
    }

    [Fact]
    public void A_replaced_handle_is_dead_and_so_is_one_that_asked_for_too_much()
    {
        var vmo = new SimVmo(3, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.Read | VmoRights.Wait);
        var reply = vmo.Call(new ReplaceCall(Head(vmo, Other), Third, VmoRights.Read));
        Assert.Equal(VmoRights.Read, reply.Rights);
        Assert.Equal(VmoStatus.BadHandle, Size(vmo, Other));
        Assert.Equal(VmoStatus.Ok, Size(vmo, Third));
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(new ReplaceCall(Head(vmo, Third), Other, VmoRights.Write)).Outcome.Status);
        Assert.Equal(VmoStatus.BadHandle, Size(vmo, Third));
        Assert.Equal(1, vmo.Info().HandleCount);
    }

    [Fact]
    public void Revoke_ends_all_that_was_derived_also_through_closed_and_replaced_ones_in_between()
    {
        var vmo = new SimVmo(4, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.SameRights);
        Duplicate(vmo, Other, Third, VmoRights.SameRights);
        Duplicate(vmo, Third, new(5, 5), VmoRights.Read);
        Assert.True(vmo.Call(new CloseCall(Head(vmo, Third))).Outcome.IsOk);
        Assert.True(vmo.Call(new ReplaceCall(Head(vmo, Other), new(6, 6), VmoRights.SameRights)).Outcome.IsOk);
        vmo.Reopen();
        Assert.Equal(VmoStatus.Ok, Size(vmo, new(5, 5)));
        Assert.True(vmo.Call(new RevokeCall(Head(vmo, new(6, 6)))).Outcome.IsOk);
        Assert.Equal(VmoStatus.BadHandle, Size(vmo, new(5, 5)));
        Assert.Equal(VmoStatus.BadHandle, Size(vmo, new(6, 6)));
        Assert.Equal(VmoStatus.Ok, Size(vmo, vmo.Secret));
        Assert.Equal(1, vmo.Info().HandleCount);
    }

    [Fact]
    public void What_is_queued_behind_a_revoke_is_not_done()
    {
        var vmo = new SimVmo(5, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.Write | VmoRights.Read);
        var revoke = vmo.Send(ticket => new Machine.CallInput(ticket, new RevokeCall(Head(vmo, Other))));
        var write = vmo.Send(ticket => new Machine.WriteInput(ticket, new()
        {
            Head = vmo.Head(Other), Items = [new(vmo.NextRequest(), 0, 1)], Data = [7],
        }));
        vmo.Settle();
        Assert.True(((VmoReply)revoke.Reply!).Outcome.IsOk);
        Assert.Equal(VmoStatus.BadHandle, ((WriteReplies)write.Reply!).Outcomes![0].Status);
        Assert.Equal(0, vmo.Read(0, 1).Data[0]);
    }

    [Fact]
    public void A_range_confines_reads_writes_and_ops_and_forbids_resizing()
    {
        var vmo = new SimVmo(6, 16 * 4096);
        Assert.True(vmo.Call(new DuplicateCall(Head(vmo, vmo.Secret), Other, VmoRights.SameRights, 0, new(4096, 8192))).Outcome.IsOk);
        Assert.Equal(VmoStatus.OutOfRange, Write(vmo, Other, 4095, 2));
        Assert.Equal(VmoStatus.OutOfRange, Write(vmo, Other, 4096 + 8191, 2));
        Assert.Equal(VmoStatus.Ok, Write(vmo, Other, 4096, 8192));
        Assert.Equal(VmoStatus.OutOfRange, vmo.Call(new OpRangeCall(Head(vmo, Other), VmoOp.Decommit, new(0, 8192))).Outcome.Status);
        Assert.Equal(VmoStatus.Ok, vmo.Call(new OpRangeCall(Head(vmo, Other), VmoOp.Decommit, new(4096, 4096))).Outcome.Status);
        Assert.Equal(VmoStatus.AccessDenied, vmo.Call(new SetSizeCall(Head(vmo, Other), 0)).Outcome.Status);
        Assert.Equal(VmoStatus.OutOfRange, vmo.Call(new DuplicateCall(Head(vmo, Other), Third, VmoRights.SameRights, 0, new(0, 8192))).Outcome.Status);
        Assert.Equal(VmoStatus.Ok, vmo.Call(new DuplicateCall(Head(vmo, Other), Third, VmoRights.SameRights, 0, new(4096, 1))).Outcome.Status);
    }

    [Fact]
    public void An_expired_handle_is_closed_by_time_alone()
    {
        var vmo = new SimVmo(7, 4096);
        Assert.True(vmo.Call(new DuplicateCall(Head(vmo, vmo.Secret), Other, VmoRights.SameRights, vmo.Milliseconds + 5000, null)).Outcome.IsOk);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(new DuplicateCall(Head(vmo, Other), Third, VmoRights.SameRights, vmo.Milliseconds + 6000, null)).Outcome.Status);
        Assert.True(vmo.Call(new RenewCall(Head(vmo, Other), vmo.Milliseconds + 9000)).Outcome.IsOk);
        vmo.Advance(6000);
        Assert.Equal(VmoStatus.Ok, Size(vmo, Other));
        vmo.Advance(4000);
        Assert.Equal(VmoStatus.BadHandle, Size(vmo, Other));
        vmo.Settle();
        Assert.Equal(1, vmo.Info().HandleCount);
    }

    [Fact]
    public void A_handle_whose_receiver_is_never_heard_of_is_closed_after_a_minute_and_one_that_is_used_is_not()
    {
        var vmo = new SimVmo(8, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.SameRights);
        Duplicate(vmo, vmo.Secret, Third, VmoRights.SameRights);
        Assert.Equal(VmoStatus.Ok, Size(vmo, Third));
        vmo.Settle();
        vmo.Reopen();
        vmo.Advance(Limits.ConfirmWithinMs + 1);
        Assert.Equal(VmoStatus.BadHandle, Size(vmo, Other));
        Assert.Equal(VmoStatus.Ok, Size(vmo, Third));
    }

    // After a minute without a store the first thing a new owner did was to close clones whose makers had been answered and could not be heard of.
    [Fact]
    public void A_handle_whose_receiver_could_not_be_heard_of_has_its_minute_anew_with_the_next_owner()
    {
        var vmo = new SimVmo(8, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.SameRights);
        vmo.Settle();
        vmo.Milliseconds += 3 * Limits.ConfirmWithinMs;
        vmo.Reopen();
        Assert.Equal(VmoStatus.Ok, Size(vmo, Other));
        vmo.Settle();
        vmo.Reopen();
        vmo.Advance(Limits.ConfirmWithinMs + 1);
        Assert.Equal(VmoStatus.Ok, Size(vmo, Other));
    }

    [Fact]
    public void When_the_last_handle_expires_the_vmo_is_freed()
    {
        var vmo = new SimVmo(9, 4096);
        Assert.True(vmo.Write(0, [1]).IsOk);
        Assert.True(vmo.Call(new RenewCall(Head(vmo, vmo.Secret), vmo.Milliseconds + 1000)).Outcome.IsOk);
        vmo.Settle();
        Assert.True(vmo.Store.IsErased);
        Assert.Empty(vmo.Store.Blobs);
    }

    [Fact]
    public void A_waiter_hears_of_a_signal_and_of_the_end_of_its_own_handle_only()
    {
        var vmo = new SimVmo(10, 4096);
        Duplicate(vmo, vmo.Secret, Other, VmoRights.SameRights);
        var one = vmo.Send(ticket => new Machine.CallInput(ticket, new WaitCall(Head(vmo, Other), VmoSignals.User3, 5000)));
        var two = vmo.Send(ticket => new Machine.CallInput(ticket, new WaitCall(Head(vmo, vmo.Secret), VmoSignals.User3, 5000)));
        Assert.True(vmo.Call(new CloseCall(Head(vmo, Other))).Outcome.IsOk);
        Assert.Equal(VmoStatus.Canceled, ((VmoReply)one.Reply!).Outcome.Status);
        Assert.Null(two.Reply);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(new SignalCall(Head(vmo, vmo.Secret), VmoSignals.None, VmoSignals.ZeroChildren)).Outcome.Status);
        Assert.True(vmo.Call(new SignalCall(Head(vmo, vmo.Secret), VmoSignals.User3, VmoSignals.User3)).Outcome.IsOk);
        Assert.Equal(VmoSignals.ZeroChildren | VmoSignals.User3, ((VmoReply)two.Reply!).Signals);
        var late = vmo.Call(new WaitCall(Head(vmo, vmo.Secret), VmoSignals.User4, 0));
        Assert.Equal(VmoStatus.TimedOut, late.Outcome.Status);
        Assert.Equal(VmoSignals.ZeroChildren | VmoSignals.User3, late.Signals);
    }

    [Theory]
    [InlineData(VmoOp.Lock, VmoStatus.NotSupported)]
    [InlineData(VmoOp.CacheSync, VmoStatus.NotSupported)]
    [InlineData(VmoOp.DontNeed, VmoStatus.NotSupported)]
    [InlineData((VmoOp)0, VmoStatus.InvalidArgs)]
    [InlineData((VmoOp)99, VmoStatus.InvalidArgs)]
    public void Operations_without_meaning_say_so(VmoOp op, VmoStatus expected) => Assert.Equal(expected, new SimVmo(11, 4096).Op(op, 0, 4096).Status);

    [Fact]
    public void A_fixed_vmo_is_unavailable_for_any_size_even_its_own()
    {
        var vmo = new SimVmo(12, 4 * 4096, VmoOptions.NonResizable);
        foreach (var size in new ulong[] { 0, 4 * 4096, 5 * 4096, ulong.MaxValue })
            Assert.Equal(VmoStatus.Unavailable, vmo.Call(new SetSizeCall(Head(vmo, vmo.Secret), size)).Outcome.Status);
    }

    [Fact]
    public void Names_are_cut_at_a_characters_border_and_kept_clean()
    {
        var vmo = new SimVmo(13, 4096);
        Assert.True(vmo.Call(new SetNameCall(Head(vmo, vmo.Secret), new string('ä', 20))).Outcome.IsOk);
        Assert.Equal(new string('ä', 15), vmo.Call(new GetNameCall(vmo.Head(vmo.Secret))).Name);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(new SetNameCall(Head(vmo, vmo.Secret), "a\nb")).Outcome.Status);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(new SetNameCall(Head(vmo, vmo.Secret), "\ud800")).Outcome.Status);
        Assert.Equal(new string('ä', 15), vmo.Call(new GetNameCall(vmo.Head(vmo.Secret))).Name);
    }

    [Fact]
    public void Rights_of_a_new_vmo_are_the_seed_eras_without_execute() =>
        Assert.Equal((VmoRights)0b1101_0000_1110_1111, HandleRights.OfNewVmo);

    private static CallHead Head(SimVmo vmo, HandleSecret secret) => vmo.Head(secret, vmo.NextRequest());

    private static VmoReply Duplicate(SimVmo vmo, HandleSecret source, HandleSecret made, VmoRights rights) =>
        vmo.Call(new DuplicateCall(Head(vmo, source), made, rights, 0, null));

    private static VmoStatus Size(SimVmo vmo, HandleSecret secret) => vmo.Call(new GetSizeCall(vmo.Head(secret))).Outcome.Status;

    private static VmoStatus Write(SimVmo vmo, HandleSecret secret, ulong offset, int length)
    {
        var replies = vmo.Ask<WriteReplies>(ticket => new Machine.WriteInput(ticket, new()
        {
            Head = vmo.Head(secret), Items = [new(vmo.NextRequest(), offset, length)], Data = new byte[length],
        }));
        return replies.Outcomes?[0].Status ?? VmoStatus.Ok;
    }
}
