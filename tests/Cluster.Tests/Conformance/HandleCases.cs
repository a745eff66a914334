using VmoCluster.Client;
using VmoCluster.Messages;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>Handles, rights, info, signals and waits (semantics 4.1 to 4.3, 4.6).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class HandleCases(ConformanceNode node) : Cases(node)
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    [Theory, EveryDoor]
    public async Task C014_A_handle_may_do_what_its_rights_say_even_with_no_byte(Door door)
    {
        const VmoRights expected = VmoRights.Duplicate | VmoRights.Transfer | VmoRights.Wait | VmoRights.Inspect | VmoRights.Read | VmoRights.Write
            | VmoRights.Map | VmoRights.GetProperty | VmoRights.SetProperty | VmoRights.Signal;
        var vmo = await CreateAsync(door, 1);

        // EXECUTE is never given (ruling).
        Assert.Equal(expected, (await vmo.GetInfoAsync(InfoTopic.HandleBasic)).Rights);
        foreach (var rights in new[] { VmoRights.None, VmoRights.Read, VmoRights.Write, VmoRights.Read | VmoRights.Write })
        {
            var narrow = await vmo.DuplicateAsync(rights);
            await AllowedAsync((rights & VmoRights.Read) != 0, () => narrow.ReadAsync(0, Array.Empty<byte>()));
            await AllowedAsync((rights & VmoRights.Write) != 0, () => narrow.WriteAsync(0, Array.Empty<byte>()));
        }

        await vmo.SetNameAsync("12345678");
        Assert.Equal("12345678", await vmo.GetNameAsync());
    }

    [Theory, EveryDoor]
    public async Task C032_Info_tells_size_and_whether_it_can_change(Door door)
    {
        var still = await (await CreateFixedAsync(door, 4)).GetInfoAsync();
        Assert.Equal((4 * P, false), (still.Size, still.IsResizable));
        var open = await (await CreateAsync(door, 8)).GetInfoAsync();
        Assert.Equal((8 * P, true), (open.Size, open.IsResizable));
    }

    [Theory, EveryDoor]
    public async Task C034_A_wait_that_times_out_tells_what_it_saw_and_one_that_is_met_too(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var wait = await vmo.WaitAsync(VmoSignals.User0, TimeSpan.FromMilliseconds(1));
        Assert.Equal((true, VmoSignals.ZeroChildren), (wait.IsTimedOut, wait.Observed));
        await vmo.SignalAsync(VmoSignals.None, VmoSignals.User0);
        wait = await vmo.WaitAsync(VmoSignals.User0, Long);
        Assert.Equal((false, VmoSignals.ZeroChildren | VmoSignals.User0), (wait.IsTimedOut, wait.Observed));

        // What only the store may say cannot be forged.
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.SignalAsync(VmoSignals.ZeroChildren, VmoSignals.None));
    }

    [Theory, EveryDoor]
    public async Task C037_Handles_of_several_VMOs_are_closed_by_one_call(Door door)
    {
        // Upstream sees it at the peers of event pairs; here the waiters on the handles are told.
        var vmos = new List<Vmo>();
        for (var i = 0; i < 4; i++)
            vmos.Add(await CreateAsync(door, 1));
        Assert.True((await Client(door).CloseManyAsync([.. vmos.Select(vmo => vmo.Handle)])).IsOk);
        foreach (var vmo in vmos)
            await RefusedAsync(VmoStatus.BadHandle, () => vmo.GetSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C039_A_handle_given_twice_is_unknown_the_second_time_and_all_are_closed(Door door)
    {
        var (first, second) = (await CreateAsync(door, 1), await CreateAsync(door, 1));
        var result = await Client(door).CloseManyAsync([first.Handle, second.Handle, first.Handle, second.Handle]);
        Assert.Equal(2, result.Closed);
        Assert.Equal(2, result.Outcomes.Count(outcome => outcome.Status == VmoStatus.BadHandle));
        foreach (var vmo in new[] { first, second })
            await RefusedAsync(VmoStatus.BadHandle, () => vmo.GetSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C040_Replace_ends_the_source_also_when_it_is_refused(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var replaced = await vmo.ReplaceAsync(VmoRights.Read | VmoRights.Duplicate);
        Assert.Equal(VmoRights.Read | VmoRights.Duplicate, (await replaced.GetInfoAsync()).Rights);
        await RefusedAsync(VmoStatus.BadHandle, () => vmo.GetSizeAsync());
        var witness = await replaced.DuplicateAsync(VmoRights.SameRights);
        await RefusedAsync(VmoStatus.InvalidArgs, () => replaced.ReplaceAsync(VmoRights.Read | VmoRights.Write));
        await RefusedAsync(VmoStatus.BadHandle, () => replaced.GetSizeAsync());
        Assert.Equal(P, await witness.GetSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C041_The_basic_info_of_a_handle(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var info = await vmo.GetInfoAsync(InfoTopic.HandleBasic);
        Assert.Equal(vmo.Koid, info.Koid);
        Assert.False(info.Koid.IsNone);
        Assert.Equal(vmo.Rights, info.Rights);
        await vmo.GetInfoAsync(InfoTopic.HandleValid);
        await vmo.CloseAsync();
        foreach (var topic in Enum.GetValues<InfoTopic>())
            await RefusedAsync(VmoStatus.BadHandle, () => vmo.GetInfoAsync(topic));
    }

    [Theory, EveryDoor]
    public async Task C046_Closing_the_handle_that_is_waited_on_ends_that_wait_alone(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var other = await vmo.DuplicateAsync(VmoRights.SameRights);
        var (waiting, still) = (vmo.WaitAsync(VmoSignals.User0, Long), other.WaitAsync(VmoSignals.User0, Long));
        await vmo.CloseAsync();

        // A wait that had not begun finds the handle closed.
        var ended = await Assert.ThrowsAsync<VmoException>(() => waiting);
        Assert.True(ended.Status is VmoStatus.Canceled or VmoStatus.BadHandle, ended.Message);
        Assert.False(still.IsCompleted);
        await other.SignalAsync(VmoSignals.None, VmoSignals.User0);
        Assert.False((await still).IsTimedOut);
    }

    [Theory, EveryDoor]
    public async Task C047_A_handle_is_valid_until_it_is_closed(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        await vmo.GetInfoAsync(InfoTopic.HandleValid);
        await vmo.CloseAsync();
        await RefusedAsync(VmoStatus.BadHandle, () => vmo.GetInfoAsync(InfoTopic.HandleValid));
    }

    [Theory, EveryDoor]
    public async Task C050_What_needs_a_right_is_denied_without_it(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        (VmoRights Needed, Func<Vmo, Task> Call)[] calls =
        [
            (VmoRights.Inspect, one => one.GetInfoAsync(InfoTopic.HandleCount)),
            (VmoRights.Inspect, async one => await one.TreeAsync().ToListAsync()),
            (VmoRights.GetProperty, one => one.GetNameAsync()),
            (VmoRights.SetProperty, one => one.SetNameAsync("name")),
            (VmoRights.Signal, one => one.SignalAsync(VmoSignals.None, VmoSignals.User1)),
            (VmoRights.Wait, one => one.WaitAsync(VmoSignals.ZeroChildren, Long)),
            (VmoRights.Duplicate, one => one.DuplicateAsync(VmoRights.SameRights)),
            (VmoRights.Write, one => one.SetSizeAsync(P)),
            (VmoRights.Write, one => one.CommitAsync(new(0, P))),
            (VmoRights.Read, one => one.ExplainAsync(0)),
        ];
        foreach (var (needed, call) in calls)
        {
            await AllowedAsync(true, async () => await call(await vmo.DuplicateAsync(needed)));
            await AllowedAsync(false, async () => await call(await vmo.DuplicateAsync(vmo.Rights!.Value & ~needed)));
        }
    }

    [Theory, EveryDoor]
    public async Task C056_Handles_are_counted_up_and_down(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var duplicates = new Stack<Vmo>();
        for (var count = 1; count <= 4; count++)
        {
            Assert.Equal(count, (await vmo.GetInfoAsync(InfoTopic.HandleCount)).HandleCount);
            duplicates.Push(await vmo.DuplicateAsync(VmoRights.Signal));
        }

        for (var count = 4; count >= 1; count--)
        {
            await duplicates.Pop().CloseAsync();
            Assert.Equal(count, (await vmo.GetInfoAsync(InfoTopic.HandleCount)).HandleCount);
        }
    }

    [Theory, EveryDoor]
    public async Task C122_Info_of_the_VMO_tells_the_rights_of_the_handle_it_is_asked_through(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        foreach (var rights in new[] { VmoRights.None, VmoRights.Read, VmoRights.SameRights })
        {
            var narrow = await vmo.DuplicateAsync(rights);
            var expected = (await narrow.GetInfoAsync(InfoTopic.HandleBasic)).Rights;
            Assert.Equal(expected, (await narrow.GetInfoAsync()).Rights);
            Assert.Equal(rights == VmoRights.SameRights ? vmo.Rights : rights, expected);
        }
    }

    [Theory, EveryDoor]
    public async Task C146_What_is_no_discardable_memory_is_not_locked(Door door)
    {
        var vmo = await CreateAsync(door, 3);
        foreach (var op in new[] { VmoOp.Lock, VmoOp.Unlock, VmoOp.TryLock })
            await RefusedAsync(VmoStatus.NotSupported, () => vmo.OpRangeAsync(op, new(0, 3 * P)));
        foreach (var op in new[] { 0u, 15u, 1000u })
            await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.OpRangeAsync((VmoOp)op, new(0, 3 * P)));
    }

    [Theory, EveryDoor]
    public async Task C145_Discardable_memory_does_not_exist_here(Door door)
    {
        // Ruling: its option bit, and every other beside NON_RESIZABLE, is INVALID_ARGS.
        foreach (var bit in Enumerable.Range(1, 31).Select(bit => 1u << bit))
            await RefusedAsync(VmoStatus.InvalidArgs, () => Client(door).CreateAsync(3 * P, new() { Options = (VmoOptions)bit }));
    }

    [Theory, EveryDoor]
    public async Task C150_A_VMO_without_bounds_is_one_of_the_largest_size(Door door)
    {
        // There is no UNBOUNDED here (its bit is in C145); what it promises, the largest size does.
        var size = ulong.MaxValue - P + 1;
        var vmo = await Client(door).CreateAsync(size, new() { NonResizable = true });
        await RefusedAsync(VmoStatus.Unavailable, () => vmo.SetSizeAsync(P));
        await FillAsync(vmo, size - (4 * P), 4 * P, 7);
        await IsFilledAsync(vmo, size - (4 * P), 4 * P, 7);
        await RefusedAsync(VmoStatus.OutOfRange, () => FillAsync(vmo, size, 1, 7));
        var clone = await vmo.CloneAsync(VmoKind.Snapshot, 0, size, new() { NonResizable = true });
        await IsFilledAsync(clone, size - (4 * P), 4 * P, 7);
        await RefusedAsync(VmoStatus.Unavailable, () => clone.SetSizeAsync(P));
    }

    private static async Task AllowedAsync(bool isAllowed, Func<Task> call)
    {
        if (isAllowed)
            await call();
        else
            await RefusedAsync(VmoStatus.AccessDenied, call);
    }
}
