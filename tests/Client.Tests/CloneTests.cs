using VmoCluster.Client.Tests.Model;
using VmoCluster.Messages;

namespace VmoCluster.Client.Tests;

public sealed class CloneTests
{
    [Theory]
    [InlineData(VmoKind.Live, 0UL, 3 * 4096UL)]
    [InlineData(VmoKind.Snapshot, 4096UL, 2 * 4096UL)]
    [InlineData(VmoKind.Slice, 3 * 4096UL, 0UL)]
    [InlineData(VmoKind.Live, 40 * 4096UL, 0UL)]
    [InlineData(VmoKind.Reference, 0UL, 0UL)]
    public async Task Without_a_size_a_clone_is_asked_for_up_to_its_parents_end_and_a_reference_as_a_whole(VmoKind kind, ulong offset, ulong asked)
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(3 * 4096);
        var clone = await vmo.CloneAsync(kind, offset);
        var spec = Assert.Single(setup.Cluster.LastClone!.Specs);
        Assert.Equal((kind, offset, asked, (uint?)null), (spec.Kind, spec.Offset, spec.Size, spec.SeedOptions));
        Assert.Equal((spec.Name, spec.Rights, spec.Zero, spec.NoWrite, spec.NonResizable), (null, null, null, false, false));
        var info = await clone.GetInfoAsync();
        Assert.Equal((kind, vmo.Koid, offset), (info.Kind, info.Parent, info.Offset));
        Assert.Equal(info.Rights, clone.Rights);
    }

    // Asking for the size takes time from the clone's.
    [Fact]
    public async Task A_clone_of_the_parents_size_is_two_calls_with_one_deadline()
    {
        await using var setup = new Setup(new() { Deadline = TimeSpan.FromSeconds(10) });
        var vmo = await setup.Client.CreateAsync(1 << 20);
        setup.Cluster.Hold = name => name == "call" ? Task.Delay(300) : Task.CompletedTask;
        await vmo.CloneAsync();
        // A handle is confirmed beside it, with a deadline of its own.
        var (size, clone) = setup.Cluster.AttemptsOf("call").Where(attempt => attempt.DeadlineMs <= 10_000).ToArray() is [var first, var second] ? (first, second) : throw new InvalidOperationException("not two calls");
        Assert.InRange(size.DeadlineMs, 9_750, 10_000);
        Assert.InRange(clone.DeadlineMs, 1, 9_750);
    }

    [Fact]
    public async Task What_the_options_say_arrives_and_the_clone_shows_it()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(3 * 4096);
        await vmo.WriteAsync(0, Setup.Noise(3 * 4096, 5));
        var options = new VmoCloneOptions { Name = "n", NonResizable = true, NoWrite = true, Rights = VmoRights.Read, Zero = [new(1, 2), new(4096, 4096)] };
        var clone = await vmo.CloneAsync(VmoKind.Snapshot, 4096, 3 * 4096, options);
        var spec = Assert.Single(setup.Cluster.LastClone!.Specs);
        Assert.Equal(("n", true, true, (VmoRights?)VmoRights.Read), (spec.Name, spec.NonResizable, spec.NoWrite, spec.Rights));
        Assert.Equal(options.Zero, spec.Zero);
        Assert.Equal(VmoRights.Read, clone.Rights);
        var expected = setup.Cluster.Bytes(vmo.Koid)[4096..].Concat(new byte[4096]).ToArray();
        expected.AsSpan(1, 2).Clear();
        expected.AsSpan(4096, 4096).Clear();
        var bytes = new byte[3 * 4096];
        await clone.ReadAsync(0, bytes);
        Assert.Equal(expected, bytes);
    }

    [Fact]
    public async Task A_single_clones_handle_is_confirmed_like_a_duplicates()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var clone = await vmo.CloneAsync();
        Assert.False(setup.Cluster.LastClone!.Confirmed);
        await Setup.UntilAsync(() => setup.Cluster.IsConfirmed(clone.Handle), "the handle was confirmed");
    }

    [Fact]
    public async Task Many_clones_are_one_request_and_every_handle_opens_its_own()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096, new() { Name = "base" });
        var clones = await vmo.CloneManyAsync(Limits.CloneCountMax, options: new() { Name = "c" });
        Assert.True(setup.Cluster.LastClone!.Confirmed);
        Assert.Single(setup.Cluster.LastClone!.Specs);
        Assert.Equal(Limits.CloneCountMax, clones.Select(clone => clone.Handle).Distinct().Count());
        Assert.Equal(Enumerable.Range(0, clones.Count).Select(i => clones[0].Koid.Value + (ulong)i), clones.Select(clone => clone.Koid.Value));
        foreach (var i in new[] { 0, 1, 4711, Limits.CloneCountMax - 1 })
            Assert.Equal($"c-{i}", await clones[i].GetNameAsync());
        Assert.All(setup.Cluster.Effects(vmo.Koid), times => Assert.Equal(1, times));
    }

    [Fact]
    public async Task Each_clone_may_be_another_and_then_their_rights_are_not_told()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4 * 4096);
        CloneSpec[] specs =
        [
            new() { Kind = VmoKind.Snapshot, Size = 4096, Name = "a" },
            new() { Kind = VmoKind.Slice, Offset = 4096, Size = 8192, NoWrite = true },
            new() { Kind = VmoKind.Live, Size = 4096 },
        ];
        var clones = await vmo.CloneManyAsync(specs);
        Assert.Equal(3, setup.Cluster.LastClone!.Count);
        var infos = await Task.WhenAll(clones.Select(clone => clone.GetInfoAsync()));
        Assert.Equal([(VmoKind.Snapshot, 4096UL), (VmoKind.Slice, 8192UL), (VmoKind.Live, 4096UL)], infos.Select(info => (info.Kind, info.Size)));
        Assert.Equal("a", infos[0].Name);
        Assert.All(clones, clone => Assert.Null(clone.Rights));
        Assert.All(await vmo.CloneManyAsync([specs[0], specs[0] with { Offset = 4096 }]), clone => Assert.Equal(vmo.Rights, clone.Rights));
    }

    [Fact]
    public async Task The_seeds_call_passes_its_bits_as_they_are()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var clone = await vmo.CloneAsync(3, 4096, 8192);
        Assert.Equal((3u, 4096UL, 8192UL), (setup.Cluster.LastClone!.Specs[0].SeedOptions!.Value, setup.Cluster.LastClone.Specs[0].Offset, setup.Cluster.LastClone.Specs[0].Size));
        await Setup.RefusedAsync(VmoStatus.Unavailable, () => clone.SetSizeAsync(0));
        foreach (var bits in new[] { 0u, 2u, 5u, uint.MaxValue })
            await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(bits, 0, 4096));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(Limits.CloneCountMax + 1)]
    [InlineData(int.MaxValue)]
    public async Task A_count_beyond_the_limits_is_out_of_range(int count)
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var refused = await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.CloneManyAsync(count));
        Assert.Contains(count.ToString(), refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, setup.Cluster.VmoCount);
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.CloneManyAsync([]));
    }

    [Fact]
    public async Task A_clone_whose_answer_was_lost_is_made_once_and_the_repeat_gives_the_same_handles()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var isLost = false;
        setup.Cluster.Faults = (name, number) =>
        {
            // The first clone call, whichever attempt of the kind it is.
            if (name != "call" || isLost || setup.Cluster.AttemptsOf("call").Last().Request.IsNone)
                return Fault.None;
            isLost = true;
            return new(FaultKind.LoseAnswer);
        };
        var clones = await vmo.CloneManyAsync(3, VmoKind.Live, 0, 4096);
        Assert.True(isLost);
        Assert.Equal(4, setup.Cluster.VmoCount);
        foreach (var clone in clones)
            Assert.Equal(4096UL, await clone.GetSizeAsync());
        Assert.Equal([1], setup.Cluster.Effects(vmo.Koid));
    }

    [Fact]
    public async Task A_refusal_is_the_parents_and_makes_nothing()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var weak = await vmo.DuplicateAsync(VmoRights.Read);
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => weak.CloneAsync());
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(offset: 1));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(VmoKind.Root));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(options: new() { Name = "half \ud800" }));
        await vmo.CloseAsync();
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => vmo.CloneAsync(VmoKind.Live, 0, 4096));
        Assert.Equal(1, setup.Cluster.VmoCount);
    }
}
