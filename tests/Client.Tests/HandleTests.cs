using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

public sealed class HandleTests
{
    [Fact]
    public async Task A_duplicate_has_what_was_asked_and_the_source_stays()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096, new() { Name = "n" });
        var expires = DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_123);
        var weak = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.GetProperty, expires, new(0, 100));
        Assert.Equal(VmoRights.Read | VmoRights.GetProperty, weak.Rights);
        var info = await weak.GetInfoAsync();
        Assert.Equal((expires.ToUnixTimeMilliseconds(), new ByteRange(0, 100)), (info.ExpiresMs, info.Range));
        Assert.Null(info.HandleCount);
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => weak.WriteAsync(0, new byte[1]));
        Assert.Equal(vmo.Rights, (await vmo.DuplicateAsync(VmoRights.SameRights)).Rights);
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.DuplicateAsync(VmoRights.Execute));
    }

    [Fact]
    public async Task Replace_ends_the_source_and_revoke_the_derived()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var replaced = await vmo.ReplaceAsync(VmoRights.SameRights);
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => vmo.GetSizeAsync());
        var child = await replaced.DuplicateAsync(VmoRights.SameRights);
        var grandchild = await child.DuplicateAsync(VmoRights.SameRights);
        await child.RevokeAsync();
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => grandchild.GetSizeAsync());
        Assert.Equal(4096UL, await replaced.GetSizeAsync());
    }

    [Fact]
    public async Task Close_many_tries_all_and_tells_which_were_unknown()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var (a, b) = (await vmo.DuplicateAsync(VmoRights.Read), await vmo.DuplicateAsync(VmoRights.Read));
        var result = await setup.Client.CloseManyAsync([a.Handle, new(vmo.Koid, HandleSecret.Create()), b.Handle, b.Handle]);
        Assert.Equal(2, result.Closed);
        Assert.False(result.IsOk);
        Assert.Equal(VmoStatus.BadHandle, Assert.Throws<VmoException>(result.ThrowIfFailed).Status);
        Assert.Equal((VmoStatus.Ok, VmoStatus.BadHandle), (result.Outcomes[0].Status, result.Outcomes[1].Status));
        Assert.True((await setup.Client.CloseManyAsync([])).IsOk);
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => setup.Client.CloseManyAsync(new VmoHandle[Limits.CloseManyMax + 1]));
    }

    [Fact]
    public async Task Renew_moves_the_expiry()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var until = DateTimeOffset.FromUnixTimeMilliseconds(2_000_000_000_000);
        Assert.Equal(until, await vmo.RenewAsync(until));
        Assert.Null(await vmo.RenewAsync(null));
    }

    [Fact]
    public async Task The_list_and_the_operators_handle_are_the_operators_alone()
    {
        await using var setup = new Setup(new() { Caller = Caller.Operator });
        for (var i = 0; i < 5; i++)
            await setup.Client.CreateAsync(4096, new() { Labels = new Dictionary<string, string> { ["odd"] = (i % 2).ToString() } });
        var all = new List<Koid>();
        await foreach (var vmo in setup.Client.ListAsync(new()))
            all.Add(vmo.Koid);
        Assert.Equal(5, all.Distinct().Count());
        var odd = 0;
        await foreach (var vmo in setup.Client.ListAsync(new("odd", "1")))
            odd++;
        Assert.Equal(2, odd);
        var handle = await setup.Client.OperatorHandleAsync(all[3]);
        Assert.Equal(4096UL, await handle.GetSizeAsync());
        await Setup.RefusedAsync(VmoStatus.NotFound, () => setup.Client.OperatorHandleAsync(new(1)));

        await using var nobody = new VmoClient(setup.Cluster, new());
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => nobody.OperatorHandleAsync(all[3]));
        await Setup.RefusedAsync(VmoStatus.AccessDenied, async () => await nobody.ListAsync(new()).GetAsyncEnumerator().MoveNextAsync());
    }

    [Fact]
    public async Task Lookup_asks_on_where_an_answer_ended()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(20 * 4096);
        foreach (var page in new[] { 1, 2, 5, 9, 19 })
            await vmo.WriteAsync((ulong)page * 4096, new byte[] { 1 });
        var pages = new List<ulong>();
        await foreach (var run in vmo.LookupAsync(ByteRange.All))
            pages.Add(run.Range.Offset / 4096);
        Assert.Equal([1, 2, 5, 9, 19], pages);
        pages.Clear();
        await foreach (var run in vmo.LookupAsync(new(2 * 4096, 4 * 4096)))
            pages.Add(run.Range.Offset / 4096);
        Assert.Equal([2, 5], pages);
    }
}
