using VmoCluster.Core.Store;
using VmoCluster.Hosting.Ownership;
using Xunit;

namespace VmoCluster.Hosting.Tests;

public sealed class OwnershipTests
{
    private static readonly Koid Vmo = new(7);
    private readonly MemoryStore _store = new();

    [Fact]
    public async Task A_released_VMO_is_taken_at_once_with_the_next_epoch()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, new(0, 41, 0));
        var got = await silo.AcquireAsync(Vmo, new TestActivation());
        Assert.Equal(AcquireKind.Acquired, got.Kind);
        Assert.Equal((silo.Session.Id, 42ul), (got.Owner.Session, got.Owner.Epoch));
        Assert.Equal(new Owner(0, 41, 0), got.Previous);
        Assert.Equal(got.Owner, got.Record!.Owner);
        Assert.Equal(got.Owner, _store.Owners[Vmo]);
    }

    [Fact]
    public async Task What_is_not_there_is_told_and_leaves_no_trace_in_the_table()
    {
        var silo = await TestSilo.StartAsync(_store);
        Assert.Equal(AcquireKind.Nothing, (await silo.AcquireAsync(Vmo, new TestActivation())).Kind);
        _store.Put(Vmo, default);
        _store.Bury(Vmo);
        Assert.Equal(AcquireKind.Tombstone, (await silo.AcquireAsync(Vmo, new TestActivation())).Kind);
        Assert.Equal(0, silo.Ownership.Count);
    }

    [Fact]
    public async Task A_dead_sessions_VMO_is_taken_at_once()
    {
        var silo = await TestSilo.StartAsync(_store);
        await _store.OpenSessionAsync(11, "killed", default);
        await _store.MarkDeadAsync(11, 1, default);
        _store.Put(Vmo, new(11, 3, 99));
        _store.Put(new(8), new(12, 3, 99));
        Assert.Equal(AcquireKind.Acquired, (await silo.AcquireAsync(Vmo, new TestActivation())).Kind);
        Assert.Equal(AcquireKind.Acquired, (await silo.AcquireAsync(new(8), new TestActivation())).Kind);
    }

    [Fact]
    public async Task A_live_sessions_VMO_is_taken_when_it_has_acknowledged_the_one_letter_it_got()
    {
        var (old, young) = (await TestSilo.StartAsync(_store), await TestSilo.StartAsync(_store));
        var first = new TestActivation();
        _store.Put(Vmo, default);
        await old.AcquireAsync(Vmo, first);

        var second = new TestActivation();
        for (var asks = 0; asks < 3; asks++)
        {
            var asked = await young.AcquireAsync(Vmo, second);
            Assert.Equal(AcquireKind.Wait, asked.Kind);
            Assert.InRange(asked.RetryAfterMs, 1, 1000);
            young.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(1, _store.Calls["letter"]);
        await young.RenewAsync();
        await old.RenewAsync();
        Assert.True(first.HasGivenUp);
        young.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(AcquireKind.Wait, (await young.AcquireAsync(Vmo, second)).Kind);

        await old.RenewAsync();
        young.Clock.Advance(TimeSpan.FromMilliseconds(300));
        Assert.Equal(AcquireKind.Acquired, (await young.AcquireAsync(Vmo, second)).Kind);
        Assert.Equal(1, first.GiveUps);
    }

    [Fact]
    public async Task A_silo_that_took_the_VMO_anew_after_its_acknowledgement_gets_a_new_letter()
    {
        var (old, young) = (await TestSilo.StartAsync(_store), await TestSilo.StartAsync(_store));
        _store.Put(Vmo, default);
        await old.AcquireAsync(Vmo, new TestActivation());
        await young.AcquireAsync(Vmo, new TestActivation());
        await old.RenewAsync();
        await old.RenewAsync();
        var again = new TestActivation();
        Assert.Equal(AcquireKind.Acquired, (await old.AcquireAsync(Vmo, again)).Kind);

        young.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(AcquireKind.Wait, (await young.AcquireAsync(Vmo, new TestActivation())).Kind);
        Assert.Equal(2, _store.Calls["letter"]);
        Assert.Equal(0, again.GiveUps);
    }

    [Fact]
    public async Task A_letter_for_a_VMO_that_is_being_taken_waits_for_the_end_of_it()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        var activation = new TestActivation();
        Task? letter = null;
        _store.After = call =>
        {
            if (call == "take over")
            {
                letter = silo.Ownership.DoAsync(new(1, LetterKind.GiveUp, Vmo, ""));
                Assert.False(letter.IsCompleted);
            }
        };
        await silo.AcquireAsync(Vmo, activation);
        await letter!;
        Assert.True(activation.HasGivenUp);
    }

    // Else a store that acknowledges nothing for a while would remember owners who have never been, and forget the one who has.
    [Fact]
    public async Task Owners_by_whom_nobody_has_acted_are_not_remembered()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, new Owner(0, 3, 99));
        _store.After = call =>
        {
            if (call == "take over")
            {
                throw new StoreException(VmoStatus.Io, "the change was made, but its durability was not acknowledged in time");
            }
        };
        for (var tries = 0; tries < 3; tries++)
        {
            await Assert.ThrowsAsync<StoreException>(async () => await silo.AcquireAsync(Vmo, new TestActivation()));
        }

        _store.After = _ => { };
        var got = await silo.AcquireAsync(Vmo, new TestActivation());
        Assert.Equal([99u, 0, 0, 0], _store.Remembered);

        // That one has acted, or may have.
        await silo.AcquireAsync(Vmo, new TestActivation());
        Assert.Equal(got.Owner.Nonce, _store.Remembered[^1]);
    }

    [Fact]
    public async Task Two_activations_on_one_silo_hand_over_without_the_store()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        var (first, second) = (new TestActivation(), new TestActivation());
        var before = await silo.AcquireAsync(Vmo, first);
        _store.Before = call => Assert.False(call == "take over" && !first.HasGivenUp);
        var after = await silo.AcquireAsync(Vmo, second);
        Assert.Equal(AcquireKind.Acquired, after.Kind);
        Assert.Equal(before.Owner, after.Previous);
        Assert.False(_store.Calls.ContainsKey("letter"));

        // The first one leaves late: the table and the store keep the second.
        await silo.Ownership.LeaveAsync(Vmo, before.Owner, first, leftBy: 0);
        Assert.Equal(1, silo.Ownership.Count);
        Assert.Equal(after.Owner, _store.Owners[Vmo]);
    }

    // The one before may have ended with a commit on a connection that was lost: what comes late of it would stay for good.
    [Fact]
    public async Task A_VMO_is_taken_from_the_same_silo_when_nothing_that_was_sent_for_it_can_arrive_any_more()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        await silo.AcquireAsync(Vmo, new TestActivation());
        Assert.False(_store.Calls.ContainsKey("finish writes"));
        _store.Before = call => Assert.True(call != "take over" || _store.Calls.ContainsKey("finish writes"));
        Assert.Equal(AcquireKind.Acquired, (await silo.AcquireAsync(Vmo, new TestActivation())).Kind);
        Assert.Equal(1, _store.Calls["finish writes"]);
    }

    [Fact]
    public async Task A_letter_is_done_when_nothing_that_was_sent_can_arrive_any_more_and_costs_no_session_where_that_is_not_known()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        var activation = new TestActivation();
        await silo.AcquireAsync(Vmo, activation);
        _store.Before = call => Assert.True(call != "finish writes" || activation.HasGivenUp);
        await silo.Ownership.DoAsync(new(1, LetterKind.GiveUp, Vmo, ""));
        Assert.Equal((1, 1), (activation.GiveUps, _store.Calls["finish writes"]));

        // Whoever ended by itself, without settling, is no activation any more.
        _store.Before = call =>
        {
            if (call == "finish writes")
                throw new StoreException(VmoStatus.Io, "the connection was lost");
        };
        await silo.Ownership.LeaveAsync(Vmo, _store.Owners[Vmo], activation, leftBy: null);
        await silo.Ownership.DoAsync(new(2, LetterKind.GiveUp, Vmo, ""));
        Assert.Equal(2, _store.Calls["finish writes"]);
    }

    [Fact]
    public async Task An_activation_that_does_not_give_up_keeps_the_next_one_waiting()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        var hold = new TaskCompletionSource();
        await silo.AcquireAsync(Vmo, new TestActivation { Hold = hold });
        var second = new TestActivation();
        var asked = silo.AcquireAsync(Vmo, second).AsTask();
        silo.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(AcquireKind.Wait, (await asked).Kind);
        hold.SetResult();
        Assert.Equal(AcquireKind.Acquired, (await silo.AcquireAsync(Vmo, second)).Kind);
    }

    [Fact]
    public async Task A_session_lost_while_the_VMO_is_being_taken_gives_nothing()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        var lost = silo.Session.Id;
        _store.After = call =>
        {
            if (call == "take over")
            {
                _store.After = _ => { };
                _store.MarkDeadAsync(lost, 1, default).AsTask().Wait();
                silo.RenewAsync().Wait();
            }
        };
        Assert.Equal(AcquireKind.Wait, (await silo.AcquireAsync(Vmo, new TestActivation())).Kind);
        Assert.Equal(0, silo.Ownership.Count);
    }

    [Fact]
    public async Task A_take_over_whose_answer_was_lost_is_made_again_over_itself()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        _store.After = call =>
        {
            if (call == "take over")
            {
                throw new StoreException(VmoStatus.Io, "the store did not answer");
            }
        };
        var activation = new TestActivation();
        await Assert.ThrowsAsync<StoreException>(() => silo.AcquireAsync(Vmo, activation).AsTask());
        Assert.Equal(0, silo.Ownership.Count);
        _store.After = _ => { };
        var got = await silo.AcquireAsync(Vmo, activation);
        Assert.Equal((AcquireKind.Acquired, 2ul), (got.Kind, got.Owner.Epoch));
        Assert.Equal(0, activation.GiveUps);
    }

    [Fact]
    public async Task A_VMO_others_keep_taking_is_waited_for()
    {
        var silo = await TestSilo.StartAsync(_store);
        _store.Put(Vmo, default);
        var epoch = 0ul;
        _store.Before = call =>
        {
            if (call == "take over")
            {
                _store.Put(Vmo, new(0, ++epoch, 0));
            }
        };
        Assert.Equal(AcquireKind.Wait, (await silo.AcquireAsync(Vmo, new TestActivation())).Kind);
    }

    [Fact]
    public async Task Leaving_releases_the_VMO_for_everybody()
    {
        var silo = await TestSilo.StartAsync(_store);
        var activation = new TestActivation();
        var owner = silo.Ownership.EnterNew(Vmo, activation)!.Value;
        Assert.Equal((silo.Session.Id, 1ul), (owner.Session, owner.Epoch));
        _store.Put(Vmo, owner);
        await silo.Ownership.LeaveAsync(Vmo, owner, activation, leftBy: 0);
        Assert.Equal(owner.Released(0), _store.Owners[Vmo]);
        Assert.Equal(0, silo.Ownership.Count);
    }

    [Fact]
    public async Task A_silo_that_leaves_hands_over_what_it_owns_a_few_at_a_time()
    {
        var silo = await TestSilo.StartAsync(_store);
        var hold = new TaskCompletionSource();
        var activations = new List<TestActivation>();
        for (var i = 1ul; i <= 5; i++)
        {
            var activation = new TestActivation { Hold = hold };
            Assert.NotNull(silo.Ownership.EnterNew(new(i), activation));
            activations.Add(activation);
        }

        var leaving = silo.Ownership.HandOverAsync(atOnce: 2, CancellationToken.None);
        Assert.True(SpinWait.SpinUntil(() => activations.Sum(one => one.HandOvers) >= 2, TimeSpan.FromSeconds(10)));
        Assert.Equal(2, activations.Sum(one => one.HandOvers));
        hold.SetResult();
        await leaving;

        Assert.All(activations, one => Assert.Equal((1, 0), (one.HandOvers, one.GiveUps)));
    }

    [Fact]
    public async Task Leaving_never_throws()
    {
        var silo = await TestSilo.StartAsync(_store);
        var activation = new TestActivation();
        var owner = silo.Ownership.EnterNew(Vmo, activation)!.Value;
        _store.Before = _ => throw new StoreException(VmoStatus.Io, "the store did not answer");
        await silo.Ownership.LeaveAsync(Vmo, owner, activation, leftBy: 0);
        Assert.Equal(0, silo.Ownership.Count);
    }

    [Fact]
    public async Task A_new_VMOs_place_is_its_creators_and_nobody_elses()
    {
        var silo = await TestSilo.StartAsync(_store);
        var creator = new TestActivation();
        Assert.NotNull(silo.Ownership.EnterNew(Vmo, creator));
        Assert.NotNull(silo.Ownership.EnterNew(Vmo, creator));
        Assert.Null(silo.Ownership.EnterNew(Vmo, new TestActivation()));
    }

    [Fact]
    public void Nonces_of_a_VMO_do_not_repeat_however_often_it_is_taken_over()
    {
        var seen = new HashSet<uint>();
        for (var epoch = 0ul; epoch < 1 << 20; epoch += 31)
        {
            var nonce = Nonces.For(epoch);
            Assert.NotEqual(0u, nonce);
            Assert.True(seen.Add(nonce), $"epoch {epoch} got a nonce given before");
        }
    }
}
