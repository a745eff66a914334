using VmoCluster.Grains.Families;

namespace VmoCluster.Grains.Tests.Families;

/// <summary>A scrub's place is one number that only grows, whatever the cursors do, and pages are read once each over any number of portions.</summary>
public class ScrubPlaceTests
{
    [Fact]
    public void A_place_grows_from_VMO_to_VMO_from_unit_to_unit_and_on_to_the_keys()
    {
        ScrubPlace[] places =
        [
            new(false, new(1), 0, 0, default), ScrubPlace.Done(new(1)), new(false, new(2), 1, 0, default), new(false, new(2), 9, 0, default), ScrubPlace.Done(new(2)),
            ScrubPlace.Done(new(1ul << 40)), ScrubPlace.FirstKeys, ScrubPlace.FirstKeys.Then(new(0, 1ul << 44))!.Value, ScrubPlace.FirstKeys.Then(new(0, 1ul << 44))!.Value.Then(new(3, 7))!.Value,
        ];
        Assert.Equal(places, places.Select(place => ScrubPlace.Of(place.ToKoid())));
        Assert.Equal(places.Select(place => place.ToKoid().Value), places.Select(place => place.ToKoid().Value).Order());
        Assert.Equal(places.Length, places.Select(place => place.ToKoid()).Distinct().Count());
    }

    [Fact]
    public void A_walk_over_more_keys_than_can_be_told_ends_with_that_and_not_as_if_it_were_done()
    {
        var place = (ScrubPlace?)ScrubPlace.FirstKeys;
        var turns = 0;
        for (; place is { } at; turns++)
            place = at.Then(new(0, 1));
        Assert.Equal(1 << 12, turns);
        Assert.Null(ScrubPlace.FirstKeys.Then(new(0, 1ul << 45)));
        Assert.Null(ScrubPlace.FirstKeys.Then(new(64, 0)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void Each_unit_is_read_once_over_all_portions(int portion)
    {
        const int units = 100;
        var read = new List<int>();
        for (var (from, isCut) = (0, true); isCut;)
        {
            var left = portion;
            var window = new PageWindow(from, int.MaxValue, () => left <= 0);
            for (var unit = 0; unit < units; unit++)
            {
                if (!window.Next())
                    continue;
                read.Add(unit);
                left--;
            }

            Assert.True(window.Reached > from, "a portion that reads nothing is asked for ever");
            (from, isCut) = (window.Reached, window.IsCut);
        }

        Assert.Equal(Enumerable.Range(0, units), read);
    }

    [Fact]
    public void A_second_look_reads_what_the_first_one_read()
    {
        var window = new PageWindow(3, 5, () => true);
        Assert.Equal([false, false, false, true, false, false], Enumerable.Range(0, 6).Select(_ => window.Next()));
        var again = new PageWindow(3, 5, () => false);
        Assert.Equal([false, false, false, true, true, false], Enumerable.Range(0, 6).Select(_ => again.Next()));
        Assert.False(again.IsCut);
    }
}
