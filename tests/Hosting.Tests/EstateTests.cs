using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Ownership;
using Xunit;

namespace VmoCluster.Hosting.Tests;

public sealed class EstateTests
{
    private readonly MemoryStore _store = new();
    private readonly List<Koid> _woken = [];
    private Func<Koid, bool> _canWake = _ => true;
    private Func<Koid, Task<bool>>? _wake;

    [Fact]
    public async Task What_a_dead_silo_left_undone_is_woken_and_struck_off()
    {
        var silo = await TestSilo.StartAsync(_store);
        await LeaveAsync(session: 11, 7, 8);
        await InheritAsync(Heir(silo), silo);
        Assert.Equal([new(7), new(8)], _woken);
        Assert.Empty(await _store.ReadEstatesAsync(default));
    }

    [Fact]
    public async Task What_cannot_be_woken_stays_and_holds_up_nobody()
    {
        var silo = await TestSilo.StartAsync(_store);
        await LeaveAsync(session: 11, 7, 8, 9);
        _canWake = vmo => vmo.Value switch
        {
            7 => throw new TimeoutException("no answer"),
            8 => false,
            _ => true,
        };
        await InheritAsync(Heir(silo), silo);
        Assert.Equal([new(7), new(8)], await _store.ReadUnfinishedAsync(11, default));
    }

    // Its grain may have been awake in a past that the store has lost: the work would be nobody's.
    [Fact]
    public async Task What_was_woken_in_another_history_of_the_store_is_not_struck_off()
    {
        var silo = await TestSilo.StartAsync(_store);
        await LeaveAsync(session: 11, 7);
        _wake = async _ =>
        {
            _store.Condition = new(null, 1);
            await silo.RenewAsync();
            await silo.RenewAsync();
            return true;
        };
        await InheritAsync(Heir(silo), silo);
        Assert.Equal([new(7)], await _store.ReadUnfinishedAsync(11, default));
        _wake = null;
        await InheritAsync(Heir(silo), silo);
        Assert.Empty(await _store.ReadUnfinishedAsync(11, default));
    }

    [Fact]
    public async Task What_does_not_answer_keeps_none_waiting()
    {
        var silo = await TestSilo.StartAsync(_store);
        await LeaveAsync(session: 11, 7, 8, 9);
        var never = new TaskCompletionSource<bool>();
        _wake = vmo => vmo.Value == 7 ? never.Task : Task.FromResult(true);
        await InheritAsync(Heir(silo), silo);
        Assert.Equal([new(7), new(8), new(9)], _woken);
        Assert.Equal([new(7)], await _store.ReadUnfinishedAsync(11, default));
    }

    [Fact]
    public async Task Newborns_that_nobody_came_for_are_woken_and_struck_off()
    {
        var silo = await TestSilo.StartAsync(_store);
        await _store.NoteUnfinishedAsync(ISessionStore.Newborns, new(7), default);
        await InheritAsync(Heir(silo), silo);
        Assert.Equal([new(7)], _woken);
        Assert.Empty(await _store.ReadEstatesAsync(default));
    }

    [Fact]
    public async Task The_silo_with_the_lowest_session_inherits_alone()
    {
        var silos = new[] { await TestSilo.StartAsync(_store), await TestSilo.StartAsync(_store) }.OrderBy(silo => silo.Session.Id).ToArray();
        await LeaveAsync(session: 11, 7);
        await InheritAsync(Heir(silos[1]), silos[1]);
        Assert.Empty(_woken);
        await InheritAsync(Heir(silos[0]), silos[0]);
        Assert.Equal([new(7)], _woken);
    }

    [Fact]
    public async Task Work_of_this_silo_that_no_activation_does_is_woken_and_left_for_it_to_strike_off()
    {
        var silo = await TestSilo.StartAsync(_store);
        var owner = silo.Ownership.EnterNew(new(7), new TestActivation())!.Value;
        await _store.NoteUnfinishedAsync(owner.Session, new(7), default);
        await _store.NoteUnfinishedAsync(owner.Session, new(8), default);
        await InheritAsync(Heir(silo), silo);
        Assert.Equal([new(8)], _woken);
        Assert.Equal(2, (await _store.ReadUnfinishedAsync(owner.Session, default)).Count);
    }

    [Fact]
    public async Task A_silo_without_a_lease_inherits_nothing()
    {
        var silo = await TestSilo.StartAsync(_store);
        await LeaveAsync(session: 11, 7);
        silo.Clock.Advance(TimeSpan.FromMilliseconds(Limits.SessionLeaseMs));
        await InheritAsync(Heir(silo), silo);
        Assert.Empty(_woken);
    }

    private EstateHeir Heir(TestSilo silo) => new(
        _store,
        silo.Session,
        silo.Ownership,
        (vmo, lineage, _) =>
        {
            Assert.Equal(silo.Session.LineageOf(silo.Session.Id), lineage);
            _woken.Add(vmo);
            return _wake?.Invoke(vmo) ?? Task.FromResult(_canWake(vmo));
        },
        silo.Clock,
        NullLogger<EstateHeir>.Instance);

    private async Task LeaveAsync(ulong session, params ulong[] koids)
    {
        await _store.OpenSessionAsync(session, "killed", default);
        foreach (var koid in koids)
        {
            await _store.NoteUnfinishedAsync(session, new(koid), default);
        }

        await _store.MarkDeadAsync(session, 1, default);
    }

    // The heir rests between two VMOs; the clock is moved until it is through.
    private static async Task InheritAsync(EstateHeir heir, TestSilo silo)
    {
        var round = heir.InheritAsync(default);
        var waited = Stopwatch.StartNew();
        while (!round.IsCompleted)
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "the heir was not through its round after 30 s of moving the clock");
            silo.Clock.Advance(TimeSpan.FromMilliseconds(20));
            await Task.WhenAny(round, Task.Delay(1));
        }

        await round;
    }
}
