using System.Net;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Sessions;
using Xunit;

namespace VmoCluster.Hosting.Tests;

public sealed class SessionTests
{
    private static readonly TimeSpan Still = TimeSpan.FromMilliseconds(Limits.SessionLeaseMs + Limits.SessionMarginMs);
    private static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(Limits.SessionLeaseMs);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private readonly MemoryStore _store = new();

    [Fact]
    public async Task A_lease_runs_its_time_and_not_a_tick_longer()
    {
        var silo = await TestSilo.StartAsync(_store);
        silo.Clock.Advance(Lease - Tick);
        Assert.True(silo.IsValid);
        silo.Clock.Advance(Tick);
        Assert.False(silo.IsValid);
    }

    [Fact]
    public async Task A_silo_without_a_session_has_no_valid_one()
    {
        var silo = new TestSilo(_store);
        Assert.Equal(0ul, silo.Session.Id);
        Assert.False(silo.Session.IsValid(0));
        Assert.Equal(AcquireKind.Wait, (await silo.AcquireAsync(new(7), new TestActivation())).Kind);
        Assert.Null(silo.Ownership.EnterNew(new(7), new TestActivation()));
    }

    [Fact]
    public async Task The_lease_counts_from_before_the_renewal_was_sent()
    {
        var silo = await TestSilo.StartAsync(_store);
        silo.Clock.Advance(TimeSpan.FromSeconds(1));
        _store.Before = call => silo.Clock.Advance(call == "renew" ? TimeSpan.FromSeconds(2) : default);
        await silo.RenewAsync();
        Assert.Equal(Lease - TimeSpan.FromSeconds(2), silo.Session.Left);
    }

    [Fact]
    public async Task A_renewal_whose_answer_was_lost_does_not_end_the_session()
    {
        var silo = await TestSilo.StartAsync(_store);
        var session = silo.Session.Id;
        _store.After = call => Fail(call == "renew");
        await silo.RenewAsync();
        _store.After = _ => { };
        silo.Clock.Advance(TimeSpan.FromSeconds(2));
        await silo.RenewAsync();
        Assert.Equal(session, silo.Session.Id);
        Assert.Equal(Lease, silo.Session.Left);
        Assert.Equal(3ul, _store.Sessions[session].Counter);
    }

    [Fact]
    public async Task A_session_marked_dead_is_invalid_at_once_and_another_is_opened()
    {
        var silo = await TestSilo.StartAsync(_store);
        var first = silo.Session.Id;
        var activation = new TestActivation();
        _store.Put(new(7), default);
        await silo.AcquireAsync(new(7), activation);
        await _store.MarkDeadAsync(first, _store.Sessions[first].Counter, default);

        await silo.RenewAsync();
        Assert.False(silo.Session.IsValid(first));
        Assert.True(activation.HasGivenUp);
        await silo.RenewAsync();
        Assert.NotEqual(first, silo.Session.Id);
        Assert.True(silo.IsValid);
        Assert.False(silo.Session.IsValid(first));
    }

    [Fact]
    public async Task A_lease_that_ran_out_while_the_store_was_away_goes_on_with_nothing_lost()
    {
        var silo = await TestSilo.StartAsync(_store);
        var session = silo.Session.Id;
        var activation = new TestActivation();
        _store.Put(new(7), default);
        await silo.AcquireAsync(new(7), activation);
        _store.Before = _ => Fail(true);
        await silo.RenewAsync();
        silo.Clock.Advance(Lease);
        await silo.RenewAsync();
        Assert.False(silo.IsValid);

        _store.Before = _ => { };
        await silo.RenewAsync();
        Assert.True(silo.Session.IsValid(session));
        Assert.Equal(0, activation.GiveUps);
    }

    [Fact]
    public async Task A_letter_is_done_before_the_lease_grows_and_acknowledged_at_once_after()
    {
        var duty = new HeldDuty();
        var silo = await TestSilo.StartAsync(_store, duty: _ => duty);
        var session = silo.Session.Id;
        var number = await _store.SendLetterAsync(session, LetterKind.GiveUp, new(7), "", default);
        silo.Clock.Advance(TimeSpan.FromSeconds(1));

        var turn = silo.RenewAsync();
        Assert.False(turn.IsCompleted);
        Assert.Equal(Lease - TimeSpan.FromSeconds(1), silo.Session.Left);
        Assert.Equal(0ul, _store.Sessions[session].AckedLetter);

        duty.Done.SetResult();
        Assert.Equal(TimeSpan.Zero, await turn);
        Assert.Equal(Lease, silo.Session.Left);
        await silo.RenewAsync();
        Assert.Equal(number, _store.Sessions[session].AckedLetter);
    }

    [Fact]
    public async Task A_letter_that_cannot_be_done_costs_the_session_and_not_the_cluster()
    {
        var duty = new HeldDuty();
        var silo = await TestSilo.StartAsync(_store, duty: _ => duty);
        var session = silo.Session.Id;
        await _store.SendLetterAsync(session, LetterKind.GiveUp, new(7), "", default);
        var turn = silo.RenewAsync();
        silo.Clock.Advance(TimeSpan.FromSeconds(3));
        await turn;
        Assert.False(silo.Session.IsValid(session));
        Assert.True(_store.Sessions[session].IsDead);
        Assert.Equal(session, duty.Lost);
    }

    [Theory]
    [InlineData(LetterKind.Drop)]
    [InlineData(LetterKind.Retire)]
    public async Task A_letter_about_what_this_silo_does_not_hold_is_done_already(LetterKind kind)
    {
        var silo = await TestSilo.StartAsync(_store);
        var number = await _store.SendLetterAsync(silo.Session.Id, kind, new(7), "", default);
        await silo.RenewAsync();
        await silo.RenewAsync();
        Assert.Equal(number, _store.Sessions[silo.Session.Id].AckedLetter);
    }

    [Fact]
    public async Task A_silo_that_leaves_ends_its_lease_first_and_then_marks_its_session_dead()
    {
        var silo = await TestSilo.StartAsync(_store);
        var session = silo.Session.Id;
        _store.Before = call => Assert.False(call == "mark dead" && silo.Session.IsValid(session));
        await silo.Keeper.StopAsync(default);
        Assert.True(_store.Sessions[session].IsDead);
    }

    [Fact]
    public async Task On_a_store_of_its_own_a_silo_knows_that_all_earlier_sessions_are_dead()
    {
        await _store.OpenSessionAsync(11, "killed", default);
        var silo = new TestSilo(_store, isStoreOurs: true);
        await silo.Keeper.StartAsync(default);
        Assert.True(_store.Sessions[11].IsDead);
        Assert.True(silo.IsValid);
        await silo.Keeper.StopAsync(default);
    }

    [Fact]
    public async Task A_silo_whose_store_does_not_answer_does_not_start()
    {
        _store.Before = _ => Fail(true);
        await Assert.ThrowsAsync<StoreException>(() => new TestSilo(_store).Keeper.StartAsync(default));
    }

    [Fact]
    public async Task A_counter_that_stands_still_for_lease_and_margin_is_dead_and_not_before()
    {
        var silo = await TestSilo.StartAsync(_store);
        await _store.OpenSessionAsync(11, "killed", default);
        await silo.Watch.LookAsync(default);
        await WatchAsync(silo, Still - Tick);
        Assert.False(_store.Sessions[11].IsDead);
        silo.Clock.Advance(Tick);
        await silo.Watch.LookAsync(default);
        Assert.True(_store.Sessions[11].IsDead);
        Assert.False(_store.Sessions[silo.Session.Id].IsDead);
    }

    // To Orleans a silo that does not reach the store is as healthy as any, and the emptiest: it was given its VMOs again and again.
    [Fact]
    public async Task A_silo_whose_session_stands_still_is_given_no_VMOs_until_it_moves_again()
    {
        var other = SiloAddress.New(IPAddress.Loopback, 2, 2);
        var silo = await TestSilo.StartAsync(_store);
        await _store.OpenSessionAsync(11, ServingSilos.Describe("other", other), default);
        Assert.False(silo.Serving.IsServing(other));
        await silo.Watch.LookAsync(default);
        Assert.True(silo.Serving.IsServing(other));
        await WatchAsync(silo, TimeSpan.FromMilliseconds(2 * Limits.SessionRenewMs));
        Assert.True(silo.Serving.IsServing(other), "a renewal may be late");
        silo.Clock.Advance(TimeSpan.FromMilliseconds(Limits.SessionRenewMs));
        await silo.Watch.LookAsync(default);
        Assert.False(silo.Serving.IsServing(other));
        await _store.RenewAsync(11, 1, 0, default);
        await silo.Watch.LookAsync(default);
        Assert.True(silo.Serving.IsServing(other));
    }

    [Fact]
    public async Task A_silo_does_not_serve_without_its_own_lease()
    {
        var silo = await TestSilo.StartAsync(_store);
        var self = SiloAddress.New(IPAddress.Loopback, 1, 1);
        Assert.True(silo.Serving.IsServing(self));
        silo.Clock.Advance(Lease);
        Assert.False(silo.Serving.IsServing(self));
        await silo.RenewAsync();
        Assert.True(silo.Serving.IsServing(self));
    }

    [Fact]
    public async Task A_watcher_that_stood_still_itself_does_no_harm()
    {
        var silo = await TestSilo.StartAsync(_store);
        await _store.OpenSessionAsync(11, "alive", default);
        await silo.Watch.LookAsync(default);
        await WatchAsync(silo, Still - Tick);
        silo.Clock.Advance(TimeSpan.FromMinutes(1));

        // Between its look and its mark, the other renews.
        _store.Before = call =>
        {
            if (call == "mark dead")
            {
                _store.Before = _ => { };
                Assert.True(_store.RenewAsync(11, 1, 0, default).AsTask().Result.IsAlive);
            }
        };
        await silo.Watch.LookAsync(default);
        Assert.False(_store.Sessions[11].IsDead);
        await silo.Watch.LookAsync(default);
        Assert.False(_store.Sessions[11].IsDead);
    }

    [Fact]
    public async Task A_store_that_stood_still_makes_nobody_dead_who_renews_when_it_goes_on()
    {
        var silo = await TestSilo.StartAsync(_store);
        await _store.OpenSessionAsync(11, "alive", default);
        await silo.Watch.LookAsync(default);
        for (var stood = 0; stood < 4; stood++)
        {
            _store.Before = _ => Fail(true);
            silo.Clock.Advance(2 * Still);
            await Assert.ThrowsAsync<StoreException>(() => silo.Watch.LookAsync(default));
            _store.Before = _ => { };
            await silo.Watch.LookAsync(default);
            Assert.False(_store.Sessions[11].IsDead);
        }

        // It does not.
        await WatchAsync(silo, Still);
        Assert.True(_store.Sessions[11].IsDead);
    }

    // As often as it is counted.
    private static async Task WatchAsync(TestSilo silo, TimeSpan time)
    {
        for (var step = TimeSpan.FromMilliseconds(Limits.SessionRenewMs); time > TimeSpan.Zero; time -= step)
        {
            silo.Clock.Advance(time < step ? time : step);
            await silo.Watch.LookAsync(default);
        }
    }

    private static void Fail(bool now)
    {
        if (now)
        {
            throw new StoreException(VmoStatus.Io, "the store did not answer");
        }
    }

    private sealed class HeldDuty : ILetterDuty
    {
        public TaskCompletionSource Done { get; } = new();

        public ulong Lost { get; private set; }

        public Task DoAsync(Letter letter) => Done.Task;

        public void Lose(ulong session, string reason) => Lost = session;
    }
}
