using VmoCluster.Core.Live;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>A large disk through many live levels: what adds nothing is asked once for many extents, and shows what it shows when it does add something.</summary>
public class StretchTests
{
    private const ulong Page = Limits.PageBytes;
    private const ulong Extent = Page * Limits.ExtentPages;

    [Fact]
    public void A_disk_is_read_through_levels_that_each_wrote_a_page_of_it_by_a_few_grants_a_level()
    {
        const int Extents = 256, Levels = 30;
        var family = new SimFamily(11);
        var root = family.CreateRoot(Extents * Extent);
        for (var extent = 0ul; extent < Extents; extent++)
            Assert.Equal(Outcome.Ok, family.Write(root, extent * Extent, [(byte)(extent | 1)]));
        var last = root;
        for (var level = 1; level <= Levels; level++)
        {
            last = family.Clone(last, 1, new CloneSpec { Kind = VmoKind.Live, Size = Extents * Extent }).Handles[0];
            Assert.Equal(Outcome.Ok, family.Write(last, (ulong)level * Page, [(byte)(100 + level)]));
        }

        var asked = family.GrantsAsked;
        for (var extent = 0ul; extent < Extents; extent++)
            Assert.Equal((byte)(extent | 1), family.Read(last, extent * Extent, 1).Data[0]);
        for (var level = 1; level <= Levels; level++)
            Assert.Equal(100 + level, family.Read(last, (ulong)level * Page, 1).Data[0]);
        asked = family.GrantsAsked - asked;
        // An extent by itself where it has its page and in the root; else three stretches of each order.
        Assert.InRange(asked, Extents + Levels, Extents + (20 * Levels));

        // Whatever a level writes is seen at once, also where it had said nothing.
        foreach (var extent in new ulong[] { 5, 77, 255 })
        {
            Assert.Equal(Outcome.Ok, family.Write(root, (extent * Extent) + Page, [7]));
            Assert.Equal(7, family.Read(last, (extent * Extent) + Page, 1).Data[0]);
        }

        // It is changed under those who hold it, so it is granted piece by piece: what is written there next leaves the views of other extents alone.
        var middle = family.Clone(root, 1, new CloneSpec { Kind = VmoKind.Live, Size = Extents * Extent }).Handles[0];
        var reader = family.Clone(middle, 1, new CloneSpec { Kind = VmoKind.Live, Size = Extents * Extent }).Handles[0];
        Assert.Equal((byte)(9 | 1), family.Read(reader, 9 * Extent, 1).Data[0]);
        Assert.Equal(Outcome.Ok, family.Write(middle, 9 * Extent, [1]));
        foreach (var extent in new ulong[] { 9, 10, 11 })
            family.Read(reader, extent * Extent, 1);
        asked = family.GrantsAsked;
        for (byte round = 2; round < 10; round++)
        {
            Assert.Equal(Outcome.Ok, family.Write(middle, 9 * Extent, [round]));
            Assert.Equal(round, family.Read(reader, 9 * Extent, 1).Data[0]);
            Assert.Equal((byte)(10 | 1), family.Read(reader, 10 * Extent, 1).Data[0]);
            Assert.Equal((byte)(11 | 1), family.Read(reader, 11 * Extent, 1).Data[0]);
        }

        Assert.InRange(family.GrantsAsked - asked, 8, 8 * 2);
    }

    [Fact]
    public void An_area_is_what_its_number_says()
    {
        Assert.Equal(7ul, GrantArea.Of(7).Value);
        Assert.True(GrantArea.Whole.IsWhole);
        Assert.True(GrantArea.Whole.Overlaps(new(new(1), 1)));
        Assert.False(GrantArea.Whole.Shows(1));
        var random = new Random(5);
        for (var i = 0; i < 10_000; i++)
        {
            var (extent, order) = ((ulong)random.NextInt64(1L << 44), random.Next(GrantArea.OrderMax + 1));
            var area = GrantArea.Around(extent, order);
            var count = 1ul << (2 * order);
            var first = extent / count * count;
            Assert.Equal((order, new PageRange(new(first * Limits.ExtentPages), count * Limits.ExtentPages), false), (area.Order, area.Pages, area.IsWhole));
            Assert.Equal(area, new GrantArea(area.Value));
            Assert.True(area.Shows(first) && area.Shows(first + count - 1) && !area.Shows(first + count) && (first == 0 || !area.Shows(first - 1)));
            var other = GrantArea.Around((ulong)random.NextInt64(1L << 44), random.Next(GrantArea.OrderMax + 1));
            Assert.Equal(area.Pages.Overlaps(other.Pages), area.Overlaps(other.Pages));
        }
    }
}
