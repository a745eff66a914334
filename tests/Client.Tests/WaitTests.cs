using System.Diagnostics;
using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

public sealed class WaitTests
{
    [Fact]
    public async Task A_wait_ends_when_the_signal_comes()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var waiting = vmo.WaitAsync(VmoSignals.User1 | VmoSignals.User2, TimeSpan.FromSeconds(20));
        await Setup.UntilAsync(() => setup.Cluster.AttemptsOf("wait").Length > 0, "the wait is pending");
        await vmo.SignalAsync(VmoSignals.None, VmoSignals.User0);
        Assert.False(waiting.IsCompleted);
        await vmo.SignalAsync(VmoSignals.User0, VmoSignals.User2);
        Assert.Equal(new WaitResult(false, VmoSignals.User2 | VmoSignals.ZeroChildren), await waiting);
    }

    [Fact]
    public async Task A_wait_of_no_time_asks_once_and_tells_what_it_saw()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        Assert.Equal(new WaitResult(true, VmoSignals.ZeroChildren), await vmo.WaitAsync(VmoSignals.User0, TimeSpan.Zero));
        Assert.Equal(new WaitResult(false, VmoSignals.ZeroChildren), await vmo.WaitAsync(VmoSignals.ZeroChildren, TimeSpan.Zero));
        Assert.Equal(2, setup.Cluster.AttemptsOf("wait").Length);
    }

    [Fact]
    public async Task A_wait_outlives_lost_messages_and_ends_in_time()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        setup.Cluster.Faults = (name, number) => name == "wait" && number < 3 ? new(FaultKind.LoseMessage) : Fault.None;
        var watch = Stopwatch.StartNew();
        var result = await vmo.WaitAsync(VmoSignals.User0, TimeSpan.FromMilliseconds(300));
        Assert.True(result.IsTimedOut);
        Assert.InRange(watch.Elapsed.TotalMilliseconds, 299, 5000);
    }

    [Fact]
    public async Task A_wait_without_the_right_and_on_a_closed_handle_is_refused()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var deaf = await vmo.DuplicateAsync(VmoRights.Read);
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => deaf.WaitAsync(VmoSignals.User0, TimeSpan.FromSeconds(1)));
        await deaf.CloseAsync();
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => deaf.WaitAsync(VmoSignals.User0, TimeSpan.FromSeconds(1)));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.WaitAsync(VmoSignals.User0, TimeSpan.FromSeconds(-2)));
    }

    [Fact]
    public async Task A_wait_for_many_ends_with_the_first_and_observes_all()
    {
        await using var setup = new Setup(new());
        var (a, b) = (await setup.Client.CreateAsync(4096), await setup.Client.CreateAsync(4096));
        await a.SignalAsync(VmoSignals.None, VmoSignals.User7);
        var items = new WaitItem[] { new(a.Handle, VmoSignals.User0), new(b.Handle, VmoSignals.User1), new(b.Handle, VmoSignals.User2) };
        var waiting = setup.Client.WaitManyAsync(items, TimeSpan.FromSeconds(20));
        await Setup.UntilAsync(() => setup.Cluster.AttemptsOf("wait").Length >= 6, "all items were asked and then waited for");
        await b.SignalAsync(VmoSignals.None, VmoSignals.User1);
        var result = await waiting;
        Assert.False(result.IsTimedOut);
        Assert.Equal(
            [VmoSignals.User7 | VmoSignals.ZeroChildren, VmoSignals.User1 | VmoSignals.ZeroChildren, VmoSignals.User1 | VmoSignals.ZeroChildren],
            result.Observed);
    }

    [Fact]
    public async Task A_wait_for_many_that_times_out_observes_all()
    {
        await using var setup = new Setup(new());
        var (a, b) = (await setup.Client.CreateAsync(4096), await setup.Client.CreateAsync(4096));
        await b.SignalAsync(VmoSignals.None, VmoSignals.User7);
        var result = await setup.Client.WaitManyAsync([new(a.Handle, VmoSignals.User0), new(b.Handle, VmoSignals.User1)], TimeSpan.FromMilliseconds(100));
        Assert.True(result.IsTimedOut);
        Assert.Equal([VmoSignals.ZeroChildren, VmoSignals.User7 | VmoSignals.ZeroChildren], result.Observed);
    }

    [Fact]
    public async Task A_wait_for_many_tells_the_first_refusal_by_order()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var deaf = await vmo.DuplicateAsync(VmoRights.Read);
        var unknown = new VmoHandle(vmo.Koid, HandleSecret.Create());
        var items = new WaitItem[] { new(vmo.Handle, VmoSignals.User0), new(deaf.Handle, VmoSignals.User0), new(unknown, VmoSignals.User0) };
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => setup.Client.WaitManyAsync(items, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task A_wait_for_none_sleeps_and_one_for_seventeen_is_out_of_range()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var result = await setup.Client.WaitManyAsync([], TimeSpan.FromMilliseconds(20));
        Assert.True(result.IsTimedOut);
        var items = Enumerable.Repeat(new WaitItem(vmo.Handle, VmoSignals.ZeroChildren), 17).ToArray();
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => setup.Client.WaitManyAsync(items, TimeSpan.Zero));
        Assert.False((await setup.Client.WaitManyAsync(items[..16], TimeSpan.Zero)).IsTimedOut);
    }

    [Fact]
    public async Task A_cancelled_wait_ends_at_once()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        using var giveUp = new CancellationTokenSource();
        var one = vmo.WaitAsync(VmoSignals.User0, Timeout.InfiniteTimeSpan, giveUp.Token);
        var many = setup.Client.WaitManyAsync([new(vmo.Handle, VmoSignals.User0)], Timeout.InfiniteTimeSpan, giveUp.Token);
        await Setup.UntilAsync(() => setup.Cluster.AttemptsOf("wait").Length >= 3, "both are pending");
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => many);
    }
}
