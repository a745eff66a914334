using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P4: a request repeated under its id takes effect once and gets the first answer, also after a crash.</summary>
public class RepeatedRequestTests
{
    [Fact]
    public void A_repeat_is_answered_and_not_run_again()
    {
        var vmo = new SimVmo(1, 4096);
        var first = vmo.NextRequest();
        Assert.True(vmo.Write(0, [1], first).IsOk);
        Assert.True(vmo.Write(0, [2]).IsOk);
        Assert.True(vmo.Write(0, [1], first).IsOk);
        Assert.Equal(2, vmo.Read(0, 1).Data[0]);
        vmo.Reopen();
        Assert.True(vmo.Write(0, [1], first).IsOk);
        Assert.Equal(2, vmo.Read(0, 1).Data[0]);
    }

    [Fact]
    public void The_same_id_with_another_body_is_refused()
    {
        var vmo = new SimVmo(2, 4096);
        var request = vmo.NextRequest();
        Assert.True(vmo.Write(0, [1], request).IsOk);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Write(0, [2], request).Status);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Write(1, [1], request).Status);
        Assert.Equal([1, 0], vmo.Read(0, 2).Data);
    }

    [Fact]
    public void A_repeat_while_the_first_is_still_under_way_waits_for_it()
    {
        var vmo = new SimVmo(3, 4096);
        var writes = new WriteCalls { Head = vmo.Head(vmo.Secret), Items = [new(vmo.NextRequest(), 0, 1)], Data = [5] };
        var one = vmo.Send(ticket => new Machine.WriteInput(ticket, writes));
        var two = vmo.Send(ticket => new Machine.WriteInput(ticket, writes));
        vmo.Settle();
        Assert.Null(((WriteReplies)one.Reply!).Outcomes);
        Assert.Null(((WriteReplies)two.Reply!).Outcomes);
        Assert.Equal(2ul, vmo.Info().Version);
    }

    [Fact]
    public void A_duplicate_that_is_repeated_gives_the_same_handle()
    {
        var vmo = new SimVmo(4, 4096);
        var call = new DuplicateCall(vmo.Head(vmo.Secret, vmo.NextRequest()), new(1, 1), VmoRights.Read, 0, null);
        Assert.Equal(VmoRights.Read, vmo.Call(call).Rights);
        Assert.Equal(VmoRights.Read, vmo.Call(call).Rights);
        vmo.Reopen();
        Assert.Equal(VmoRights.Read, vmo.Call(call).Rights);
        Assert.Equal(2, vmo.Info().HandleCount);
    }

    // A replace that asks for too much ends its source all the same (E18). Its repeat used to hear that there is no such handle.
    [Fact]
    public void A_replace_that_was_refused_and_ended_its_handle_is_refused_again_in_the_same_way()
    {
        var vmo = new SimVmo(6, 4096);
        var handle = new HandleSecret(1, 1);
        Assert.True(vmo.Call(new DuplicateCall(vmo.Head(vmo.Secret, vmo.NextRequest()), handle, VmoRights.Read, 0, null)).Outcome.IsOk);
        var call = new ReplaceCall(vmo.Head(handle, vmo.NextRequest()), new(2, 2), VmoRights.Write);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(call).Outcome.Status);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(call).Outcome.Status);
        vmo.Reopen();
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(call).Outcome.Status);
        Assert.Equal(VmoStatus.BadHandle, vmo.Call(call with { Head = vmo.Head(handle, vmo.NextRequest()) }).Outcome.Status);
        Assert.Equal(1, vmo.Info().HandleCount);

        // The last handle: what is left is the tombstone, and it remembers.
        var last = new ReplaceCall(vmo.Head(vmo.Secret, vmo.NextRequest()), new(2, 2), VmoRights.Execute);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(last).Outcome.Status);
        vmo.Settle();
        var tombstone = new StoredHash(default, 0, vmo.Store.Tombstone);
        Assert.Equal(VmoStatus.InvalidArgs, Machine.VmoMachine.FromTombstone(tombstone, last.Head.Request).Status);
        Assert.Equal(VmoStatus.BadHandle, Machine.VmoMachine.FromTombstone(tombstone, vmo.NextRequest()).Status);
    }

    [Fact]
    public void A_replace_that_is_refused_while_another_owns_the_vmo_is_not_told_that_its_handle_ended()
    {
        var vmo = new SimVmo(7, 4096);
        vmo.Store.TakeOver(vmo.Store.Owner.Next(8, 9));
        var call = new ReplaceCall(vmo.Head(vmo.Secret, vmo.NextRequest()), new(2, 2), VmoRights.Execute);
        Assert.Equal(VmoStatus.Io, vmo.Call(call).Outcome.Status);
        vmo.Reopen();
        Assert.Equal(1, vmo.Info().HandleCount);
        Assert.Equal(VmoStatus.InvalidArgs, vmo.Call(call).Outcome.Status);
    }

    [Fact]
    public void What_is_too_old_to_be_known_or_was_received_is_never_run()
    {
        var vmo = new SimVmo(5, 4096);
        var old = vmo.NextRequest();
        vmo.Advance(Limits.RequestKeepMs + 1000);
        Assert.Equal(VmoStatus.TimedOut, vmo.Write(0, [1], old).Status);
        var late = vmo.NextRequest();
        var acknowledging = vmo.NextRequest();
        var replies = vmo.Ask<WriteReplies>(ticket => new Machine.WriteInput(ticket, new()
        {
            Head = vmo.Head(vmo.Secret) with { AckedBelow = acknowledging.Sequence }, Items = [new(acknowledging, 8, 1)], Data = [1],
        }));
        Assert.Null(replies.Outcomes);
        vmo.Reopen();
        Assert.Equal(VmoStatus.TimedOut, vmo.Write(0, [1], late).Status);
        Assert.Equal(0, vmo.Read(0, 1).Data[0]);
    }

    [Fact]
    public void Many_writers_at_once_with_lost_answers_and_crashes_each_take_effect_once()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            // Each writer owns a byte and counts it up, repeating each step until it is answered: a step done twice would be seen as a skip.
            var vmo = new SimVmo(seed, 1 << 20) { UnknownPercent = 30 };
            var random = new Random(seed);
            var (steps, tickets, writes) = (new int[40], new SimTicket?[40], new WriteCalls[40]);
            for (var round = 0; round < 400; round++)
            {
                var writer = random.Next(steps.Length);
                if (tickets[writer]?.Reply is WriteReplies { Outcomes: null })
                {
                    steps[writer]++;
                    tickets[writer] = null;
                    Assert.Equal(steps[writer], vmo.Read(Place(writer), 1).Data[0]);
                }

                if (tickets[writer] is null)
                    writes[writer] = new() { Head = vmo.Head(vmo.Secret), Items = [new(vmo.NextRequest(), Place(writer), 1)], Data = [(byte)(steps[writer] + 1)] };
                if (tickets[writer] is not { Reply: null })
                    tickets[writer] = vmo.Send(ticket => new Machine.WriteInput(ticket, writes[writer]));
                if (random.Next(60) == 0)
                {
                    vmo.Crash();
                    for (var i = 0; i < tickets.Length; i++)
                        tickets[i] = tickets[i] is null ? null : new() { Reply = WriteReplies.Fail(new(VmoStatus.Io), 1) };
                }

                vmo.RunSome(random.Next(4));
            }
        }

        static ulong Place(int writer) => (ulong)writer * 1000;
    }

    [Fact]
    public void A_ring_keeps_what_is_live_through_any_number_of_commits()
    {
        var ring = new RequestRing();
        var kept = new RequestId(1, 1000ul << RequestId.CountBits);
        ring.Publish(ring.Prepare([new(kept, 7, 0)], 1000));
        for (var i = 0; i < 1000; i++)
        {
            var request = new RequestId(2, (1000ul << RequestId.CountBits) + (ulong)i);
            ring.Acknowledge(request, request.Sequence);
            ring.Publish(ring.Prepare([new(request, 0, 0)], 1000));
        }

        Assert.True(ring.TryFind(kept, out var entry));
        Assert.Equal(7ul, entry.Digest);
        Assert.InRange(ring.Count, 1, 2 * RequestRing.SlotCount);
        var loaded = new RequestRing();
        foreach (var field in ring.ToFields())
        {
            Assert.True(Encoding.FieldNames.TryReadNumbered((byte)'q', field.Name.Span, out var slot));
            loaded.Load(slot, field.Value.Span);
        }

        Assert.True(loaded.TryFind(kept, out _));
        Assert.True(loaded.IsTooOld(new(2, 1000ul << RequestId.CountBits), 1000));
    }
}
