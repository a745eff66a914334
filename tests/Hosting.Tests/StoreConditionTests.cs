using System.Diagnostics.Metrics;
using VmoCluster.Core.Store;
using Xunit;

namespace VmoCluster.Hosting.Tests;

/// <summary>What a silo does when its store is another, has another history, or was set back.</summary>
public sealed class StoreConditionTests
{
    private static readonly Koid Vmo = new(7);
    private readonly MemoryStore _store = new();

    public StoreConditionTests() => _store.Put(Vmo, default);

    [Fact]
    public async Task Another_history_of_the_store_costs_the_session_and_every_VMO_is_taken_anew()
    {
        var (silo, activation) = await OwningAsync();
        var (first, before) = (silo.Session.Id, _store.Owners[Vmo]);
        _store.Condition = new(null, 1);
        // What it knows is of the former still.
        Assert.Equal(0, silo.Session.LineageOf(first));

        await silo.RenewAsync();
        Assert.False(silo.Session.IsValid(first));
        Assert.Equal(((long?)null, (long?)1), (silo.Session.LineageOf(first), silo.Session.LineageOf(silo.Session.Id)));
        Assert.True(activation.HasGivenUp);
        Assert.True(_store.Sessions[first].IsDead);
        Assert.True(silo.IsValid);
        var again = await silo.AcquireAsync(Vmo, new TestActivation());
        Assert.Equal((AcquireKind.Acquired, before.Epoch + 1), (again.Kind, again.Owner.Epoch));

        // Once a change.
        var second = silo.Session.Id;
        await silo.RenewAsync();
        Assert.Equal(second, silo.Session.Id);
    }

    // A failover at which nothing was lost is none; one that has lost renewals is counted with what it has lost, though the session ends with the primary anyway.
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Another_history_that_has_lost_renewals_is_told_as_a_set_back(int lost)
    {
        var (setBacks, seconds) = (0L, 0.0);
        using var meters = new MeterListener();
        meters.SetMeasurementEventCallback<long>((_, measured, _, _) => Interlocked.Add(ref setBacks, measured));
        meters.SetMeasurementEventCallback<double>((_, measured, _, _) => seconds += measured);
        meters.EnableMeasurementEvents(HostingTelemetry.SetBacks);
        meters.EnableMeasurementEvents(HostingTelemetry.SecondsLost);
        var (silo, _) = await OwningAsync();
        for (var i = 0; i < 4; i++)
            await silo.RenewAsync();
        var first = silo.Session.Id;
        _store.Condition = new(null, 1);
        _store.SetBack(first, _store.Sessions[first].Counter - (ulong)lost);
        await silo.RenewAsync();
        await silo.RenewAsync();
        Assert.True(silo.IsValid);
        Assert.NotEqual(first, silo.Session.Id);
        Assert.Equal((lost > 0 ? 1 : 0, lost * Limits.SessionRenewMs / 1000.0), (setBacks, seconds));
    }

    // A map of a frozen layer that was read in the lost time was used for another layer of the same name, and pages were looked for in blobs that it names.
    [Fact]
    public async Task With_another_history_all_that_is_in_memory_is_forgotten_before_anything_is_asked_of_the_store_again()
    {
        var (silo, _) = await OwningAsync();
        Assert.Equal((0, 0L), (silo.Holdings.Forgotten, _store.Adopted));
        _store.Condition = new(null, 1);
        _store.Before = call =>
        {
            if (call == "open")
                Assert.Equal((1, 0L), (silo.Holdings.Forgotten, _store.Adopted));
        };

        await silo.RenewAsync();
        Assert.Equal((1, 1L), (silo.Holdings.Forgotten, _store.Adopted));
        await silo.RenewAsync();
        Assert.Equal(1, silo.Holdings.Forgotten);
    }

    [Fact]
    public async Task What_is_in_memory_is_forgotten_also_when_the_session_had_been_lost_before_the_history_was_seen()
    {
        var (silo, _) = await OwningAsync();
        await _store.MarkDeadAsync(silo.Session.Id, 1, default);
        _store.Before = call =>
        {
            if (call == "open")
                _store.Condition = new(null, 1);
        };
        await silo.RenewAsync();
        await silo.RenewAsync();
        _store.Before = _ => { };
        await silo.RenewAsync();
        await silo.RenewAsync();
        Assert.True(silo.IsValid);
        Assert.Equal((1, 1L), (silo.Holdings.Forgotten, _store.Adopted));
    }

    [Fact]
    public async Task A_store_that_has_lost_renewals_costs_the_session()
    {
        var (silo, activation) = await OwningAsync();
        var first = silo.Session.Id;
        await silo.RenewAsync();
        await silo.RenewAsync();
        _store.SetBack(first, 1);

        await silo.RenewAsync();
        Assert.False(silo.Session.IsValid(first));
        Assert.True(activation.HasGivenUp);
        await silo.RenewAsync();
        Assert.True(silo.IsValid);
        Assert.Equal(1, silo.Holdings.Forgotten);
    }

    [Fact]
    public async Task While_the_store_is_refused_nothing_is_served_nothing_is_said_to_it_and_the_session_goes_on_afterwards()
    {
        var (silo, activation) = await OwningAsync();
        var (first, calls) = (silo.Session.Id, _store.Calls.Values.Sum());
        _store.Condition = new("it was emptied", 0);

        await silo.RenewAsync();
        Assert.False(silo.IsValid);
        var refused = await Assert.ThrowsAsync<StoreException>(async () => await silo.AcquireAsync(new(8), new TestActivation()));
        Assert.Equal((VmoStatus.Io, "it was emptied"), (refused.Status, refused.Message));
        Assert.Equal(calls, _store.Calls.Values.Sum());

        _store.Condition = new(null, 0);
        await silo.RenewAsync();
        Assert.True(silo.Session.IsValid(first));
        Assert.False(activation.HasGivenUp);
    }

    [Fact]
    public async Task A_session_is_opened_only_in_the_silos_own_store()
    {
        _store.Condition = new("it was emptied", 0);
        var silo = await TestSilo.StartAsync(_store);
        Assert.Empty(_store.Sessions);
        _store.Condition = new(null, 3);
        await silo.RenewAsync();
        Assert.True(silo.IsValid);
        await silo.RenewAsync();
        Assert.Single(_store.Sessions);
    }

    private async Task<(TestSilo Silo, TestActivation Activation)> OwningAsync()
    {
        var (silo, activation) = (await TestSilo.StartAsync(_store), new TestActivation());
        Assert.Equal(AcquireKind.Acquired, (await silo.AcquireAsync(Vmo, activation)).Kind);
        return (silo, activation);
    }
}
