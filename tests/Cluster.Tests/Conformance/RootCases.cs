using VmoCluster.Client;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>Sizes, reads and writes of a VMO without a parent (semantics 4.1, 4.5, 4.6, 4.15, 4.16).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class RootCases(ConformanceNode node) : Cases(node)
{
    // Upstream goes through every size below 4 pages. Each is a commit here: the borders and a step that meets every residue often enough.
    private static readonly ulong[] SizesToTry =
        [.. Enumerable.Range(0, 4).SelectMany(page => new ulong[] { 0, 1, P - 1 }.Select(at => ((ulong)page * P) + at)), 2, 7, 511, 512, 4093, 5000, 12345, (4 * P) - 1];

    [Theory, EveryDoor]
    public async Task C001_Sixteen_sizes_from_nothing_up_are_created_and_closed(Door door)
    {
        for (var pages = 0ul; pages < 16; pages++)
        {
            var vmo = await CreateAsync(door, pages);
            Assert.Equal(pages * P, await vmo.GetSizeAsync());
            await vmo.CloseAsync();
        }
    }

    [Theory, EveryDoor]
    public async Task C002_A_new_VMO_reads_zeros_and_then_what_was_written(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        await ShowsAsync(vmo, 0, 0, 0, 0);
        await FillAsync(vmo, 0, 4 * P, 0x99);
        await IsFilledAsync(vmo, 0, 4 * P, 0x99);
    }

    [Theory, EveryDoor]
    public async Task C009_A_fixed_VMO_keeps_its_size(Door door)
    {
        var vmo = await CreateFixedAsync(door, 4);
        await RefusedAsync(VmoStatus.Unavailable, () => vmo.SetSizeAsync(5 * P));
        await RefusedAsync(VmoStatus.Unavailable, () => vmo.SetSizeAsync(3 * P));
        Assert.Equal(4 * P, await vmo.GetSizeAsync());
    }

    [Theory, EveryDoor]
    public Task C011_A_size_at_creation_is_rounded_up_to_pages(Door door) => Task.WhenAll(SizesToTry.Select(async size =>
    {
        var vmo = await Client(door).CreateAsync(size);
        Assert.Equal((size + P - 1) / P * P, await vmo.GetSizeAsync());
        await vmo.CloseAsync();
    }));

    [Theory, EveryDoor]
    public async Task C012_A_size_that_is_set_is_rounded_up_to_pages(Door door)
    {
        var vmo = await CreateAsync(door, 0);
        foreach (var size in SizesToTry)
        {
            await vmo.SetSizeAsync(size);
            Assert.Equal((size + P - 1) / P * P, await vmo.GetSizeAsync());
        }
    }

    [Theory, EveryDoor]
    public async Task C092_A_VMO_of_one_page_is_created(Door door) => Assert.Equal(P, await (await CreateAsync(door, 1)).GetSizeAsync());

    [Theory, EveryDoor]
    public async Task C102_Reads_and_writes_of_odd_lengths(Door door)
    {
        var vmo = await CreateAsync(door, 16);
        await vmo.WriteAsync(0, Array.Empty<byte>());
        await FillAsync(vmo, 0, 37, 1);
        await FillAsync(vmo, 99, 37, 2);
        await RefusedAsync(VmoStatus.OutOfRange, () => FillAsync(vmo, 0, (16 * P) + 47, 3));
        await RefusedAsync(VmoStatus.OutOfRange, () => FillAsync(vmo, 31, (16 * P) + 47, 3));
        await RefusedAsync(VmoStatus.OutOfRange, () => FillAsync(vmo, (16 * P) + 1, 1, 3));
        await IsFilledAsync(vmo, 0, 37, 1);
        await IsFilledAsync(vmo, 37, 99 - 37, 0);
        await IsFilledAsync(vmo, 99, 37, 2);
        var noise = new byte[4197];
        new Random(102).NextBytes(noise);
        await vmo.WriteAsync(31, noise);
        var found = new byte[noise.Length];
        await vmo.ReadAsync(31, found);
        Assert.Equal(noise, found);
    }

    [Theory, EveryDoor]
    public async Task C106_Sixteen_sizes_are_created_each_with_its_own_number(Door door)
    {
        var vmos = new List<Vmo>();
        for (var pages = 0ul; pages < 16; pages++)
            vmos.Add(await CreateAsync(door, pages));
        Assert.Equal(16, vmos.Select(vmo => vmo.Koid).Distinct().Count());
        for (var pages = 0; pages < 16; pages++)
            Assert.Equal((ulong)pages * P, await vmos[pages].GetSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C107_A_range_that_passes_the_end_of_numbers_is_out_of_range(Door door)
    {
        // Upstream gives a length of almost 2^64, which no buffer of ours has: the offset is what is near the end here, and the length in ops.
        var vmo = await CreateAsync(door, 4);
        foreach (var near in new[] { ulong.MaxValue - P, ulong.MaxValue - (P / 2) })
        {
            await RefusedAsync(VmoStatus.OutOfRange, () => FillAsync(vmo, near, 4 * P, 1));
            await RefusedAsync(VmoStatus.OutOfRange, () => IsFilledAsync(vmo, near, 4 * P, 1));
            await RefusedAsync(VmoStatus.OutOfRange, () => vmo.ZeroAsync(new(0, near)));
            await RefusedAsync(VmoStatus.OutOfRange, () => vmo.ZeroAsync(new(2 * P, near)));
        }

        await FillAsync(vmo, 0, 4 * P, 1);
        await IsFilledAsync(vmo, 0, 4 * P, 1);
    }

    [Theory, EveryDoor]
    public async Task C109_A_range_that_is_not_wholly_inside_moves_no_byte(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await FillAsync(vmo, 0, 2 * P, 7);
        foreach (var (offset, length) in new[] { (2 * P, 1ul), ((2 * P) - 1, 2ul), (P, 2 * P), (3 * P, 1ul), ((2 * P) + 1, 0ul) })
        {
            await RefusedAsync(VmoStatus.OutOfRange, () => FillAsync(vmo, offset, length, 9));
            var destination = new byte[length];
            await RefusedAsync(VmoStatus.OutOfRange, () => vmo.ReadAsync(offset, destination));
            Assert.All(destination, got => Assert.Equal(0, got));
        }

        await FillAsync(vmo, 2 * P, 0, 9);
        await vmo.ReadAsync(2 * P, Array.Empty<byte>());
        await IsFilledAsync(vmo, 0, 2 * P, 7);
    }

    [Theory, EveryDoor]
    public async Task C113_Writes_and_decommits_of_one_page_side_by_side(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var bytes = new byte[128];
        Array.Fill(bytes, (byte)0x5a);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async who =>
        {
            for (var round = 0; round < 20; round++)
            {
                if (who < 2)
                    await vmo.WriteAsync(0, bytes);
                else
                    await vmo.DecommitAsync(new(0, P));
                var found = new byte[P];
                await vmo.ReadAsync(0, found);
                Assert.True(found[0] is 0 or 0x5a);
                Assert.Equal(-1, found.AsSpan(0, 128).IndexOfAnyExcept(found[0]));
                Assert.Equal(-1, found.AsSpan(128).IndexOfAnyExcept((byte)0));
            }
        }));
    }

    [Theory, EveryDoor]
    public async Task C116_A_resized_VMO_keeps_what_is_inside_and_forgets_what_was_cut(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        await FillAsync(vmo, 0, 4 * P, 0x88);
        await vmo.SetSizeAsync(P + 1);
        Assert.Equal(2 * P, await vmo.GetSizeAsync());
        await RefusedAsync(VmoStatus.OutOfRange, () => WordAsync(vmo, 2));
        await RefusedAsync(VmoStatus.OutOfRange, () => PutAsync(vmo, 2, 1));
        await vmo.SetSizeAsync(4 * P);
        await IsFilledAsync(vmo, 0, 2 * P, 0x88);
        await IsFilledAsync(vmo, 2 * P, 2 * P, 0);
        foreach (var size in new[] { ulong.MaxValue, ulong.MaxValue - P + 2 })
            await RefusedAsync(VmoStatus.OutOfRange, () => vmo.SetSizeAsync(size));
        Assert.Equal(4 * P, await vmo.GetSizeAsync());
        await vmo.SetSizeAsync(0);
        await RefusedAsync(VmoStatus.OutOfRange, () => WordAsync(vmo, 0));
    }

    [Theory, EveryDoor]
    public async Task C119_Resizable_is_the_default_and_can_be_switched_off(Door door)
    {
        // Today's default is fixed. Ruling: the seed's, resizable.
        var open = await CreateAsync(door, 1);
        Assert.True((await open.GetInfoAsync()).IsResizable);
        await open.SetSizeAsync(2 * P);
        var still = await CreateFixedAsync(door, 2);
        Assert.False((await still.GetInfoAsync()).IsResizable);
        foreach (var size in new[] { P, 3 * P })
            await RefusedAsync(VmoStatus.Unavailable, () => still.SetSizeAsync(size));
    }

    [Theory, EveryDoor]
    public async Task C124_The_content_size_is_any_number_and_follows_the_size(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        Assert.Equal(4 * P, await vmo.GetContentSizeAsync());
        foreach (var size in new[] { 4 * P / 3, (4 * P) + 15643 })
        {
            await vmo.SetContentSizeAsync(size);
            Assert.Equal(size, await vmo.GetContentSizeAsync());
            Assert.Equal(4 * P, await vmo.GetSizeAsync());
        }

        await vmo.SetSizeAsync(5461);
        Assert.Equal(5461ul, await vmo.GetContentSizeAsync());
        var named = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.SetProperty);
        await RefusedAsync(VmoStatus.AccessDenied, () => named.SetContentSizeAsync(1));
        await RefusedAsync(VmoStatus.AccessDenied, () => named.GetContentSizeAsync());
        var writing = await vmo.DuplicateAsync(VmoRights.Write | VmoRights.SetProperty);
        await writing.SetContentSizeAsync(1);
        Assert.Equal(1ul, await vmo.GetContentSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C294_The_largest_size_is_created_and_a_page_more_is_out_of_range(Door door)
    {
        var vmo = await Client(door).CreateAsync(ulong.MaxValue - P + 1);
        Assert.Equal(ulong.MaxValue - P + 1, await vmo.GetSizeAsync());
        await RefusedAsync(VmoStatus.OutOfRange, () => Client(door).CreateAsync(ulong.MaxValue - P + 2));
        await RefusedAsync(VmoStatus.OutOfRange, () => Client(door).CreateAsync(ulong.MaxValue));
    }

    [Theory, EveryDoor]
    public async Task C322_A_write_that_races_a_shrink_is_done_whole_or_not_at_all(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        for (var round = 0; round < 20; round++)
        {
            await vmo.SetSizeAsync(2 * P);
            await vmo.ZeroAsync(new(0, 2 * P));
            var writing = FillAsync(vmo, 0, 2 * P, 0xaa);
            await vmo.SetSizeAsync(P);
            var isDone = true;
            try
            {
                await writing;
            }
            catch (VmoException refused)
            {
                Assert.Equal(VmoStatus.OutOfRange, refused.Status);
                isDone = false;
            }

            await vmo.SetSizeAsync(2 * P);
            await IsFilledAsync(vmo, 0, P, (byte)(isDone ? 0xaa : 0));
            await IsFilledAsync(vmo, P, P, 0);
        }
    }

    [Theory, EveryDoor]
    public async Task C324_Even_its_own_size_is_unavailable_to_a_fixed_VMO(Door door)
    {
        var vmo = await CreateFixedAsync(door, 2);
        var clone = await vmo.CloneAsync(3, 0, 2 * P);
        await RefusedAsync(VmoStatus.Unavailable, () => vmo.SetSizeAsync(2 * P));
        await RefusedAsync(VmoStatus.Unavailable, () => clone.SetSizeAsync(2 * P));
    }
}
