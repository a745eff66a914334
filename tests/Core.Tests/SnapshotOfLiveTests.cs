using VmoCluster.Core.Family;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>What a snapshot of a live clone, or of a reference, is made of, case by case.</summary>
public class SnapshotOfLiveTests
{
    private const ulong Page = Limits.PageBytes;

    private readonly SimFamily _family = new(3);

    [Fact]
    public void Each_level_is_a_window_cut_by_the_sizes_of_all_levels_up_to_it()
    {
        var root = _family.CreateRoot(10 * Page);
        Fill(root, 0, 10, 1);
        var middle = Clone(root, new() { Offset = 2 * Page, Size = 20 * Page });
        Fill(middle, 1, 1, 2);
        var last = Clone(middle, new() { Offset = Page, Size = 6 * Page });
        Fill(last, 5, 1, 3);
        Assert.Equal(Outcome.Ok, _family.SetSize(middle, 5 * Page));
        var snapshot = Snapshot(last, 0, 8);
        Assert.Equal([(last.Koid, 0ul, 6ul), (middle.Koid, 1, 5), (root.Koid, 3, 7)], BasesOf(snapshot).Select(item => (item.Layer.Home, item.Offset, item.Limit)));
        Assert.Equal([2, 1, 1, 1, 0, 3, 0, 0], Bytes(snapshot, 8));
        Assert.Equal(Outcome.Ok, _family.SetSize(middle, 20 * Page));
        Fill(root, 0, 10, 9);
        Assert.Equal([2, 1, 1, 1, 0, 3, 0, 0], Bytes(snapshot, 8));
    }

    [Fact]
    public void A_slice_on_the_way_ends_what_shows_and_is_no_level()
    {
        var root = _family.CreateRoot(8 * Page, VmoOptions.NonResizable);
        Fill(root, 0, 8, 1);
        var slice = Clone(root, new() { Kind = VmoKind.Slice, Offset = Page, Size = 3 * Page });
        var clone = Clone(slice, new() { Offset = Page, Size = 5 * Page });
        var snapshot = Snapshot(clone, 0, 5);
        Assert.Equal([(root.Koid, 2ul, 4ul)], BasesOf(snapshot).Select(item => (item.Layer.Home, item.Offset, item.Limit)));
        Assert.Equal([1, 1, 0, 0, 0], Bytes(snapshot, 5));
    }

    [Fact]
    public void A_level_that_shows_nothing_is_neither_frozen_nor_a_window()
    {
        var root = _family.CreateRoot(4 * Page);
        Fill(root, 0, 1, 1);
        var middle = Clone(root, new() { Size = 4 * Page });
        var last = Clone(middle, new() { Size = 4 * Page });
        var snapshots = new[] { Snapshot(last, 0, 4), Snapshot(last, 0, 4) };
        Assert.All(snapshots, snapshot => Assert.Equal([root.Koid], BasesOf(snapshot).Select(item => item.Layer.Home)));
        // And what is untouched since is not frozen again.
        Assert.Equal(6, _family.Store.Layers.Count());
    }

    [Fact]
    public void What_a_window_does_not_reach_is_let_go()
    {
        var root = _family.CreateRoot(4 * Page);
        Fill(root, 0, 4, 1);
        var clone = Clone(root, new() { Offset = 3 * Page, Size = 4 * Page });
        Fill(clone, 0, 1, 2);
        var (outcome, _, made) = _family.Clone(clone, 3,
            new CloneSpec { Kind = VmoKind.Snapshot, Size = Page }, new CloneSpec { Size = Page }, new CloneSpec { Kind = VmoKind.Snapshot, Offset = Page, Size = Page });
        Assert.Equal(Outcome.Ok, outcome);
        _family.Settle();
        Assert.Empty(Record(root).Pins.Entries);
        Assert.Equal([made[0].Koid], Record(root).Users[1].Koids);
        Assert.Equal([made[0].Koid, made[2].Koid], Record(clone).Users[1].Koids);
    }

    [Fact]
    public void Holes_are_not_shown_whatever_level_shows_there()
    {
        var root = _family.CreateRoot(4 * Page);
        Fill(root, 0, 4, 1);
        var clone = Clone(root, new() { Size = 4 * Page });
        var snapshot = Clone(clone, new() { Kind = VmoKind.Snapshot, Size = 4 * Page, Zero = [new(Page, 2 * Page)] });
        Assert.Equal([1, 0, 0, 1], Bytes(snapshot, 4));
    }

    [Fact]
    public void A_snapshot_of_a_reference_is_the_references_child_with_the_targets_pages()
    {
        var root = _family.CreateRoot(4 * Page);
        Fill(root, 0, 4, 1);
        var clone = Clone(root, new() { Size = 4 * Page });
        Fill(clone, 1, 1, 2);
        var reference = Clone(Clone(clone, new() { Kind = VmoKind.Reference }), new() { Kind = VmoKind.Reference });
        Assert.Equal(Outcome.Ok, _family.SetSize(clone, 6 * Page));
        Fill(reference, 5, 1, 3);
        var snapshot = Snapshot(reference, 0, 6);
        Assert.Equal(reference.Koid, Record(snapshot).Meta.Parent);
        Assert.Equal([snapshot.Koid], Record(reference).Children.Snapshots.Koids);
        Assert.Equal([1, 2, 1, 1, 0, 3], Bytes(snapshot, 6));
        Fill(reference, 0, 6, 7);
        Fill(snapshot, 0, 1, 8);
        Assert.Equal([8, 2, 1, 1, 0, 3], Bytes(snapshot, 6));
        Assert.Equal([7, 7, 7, 7, 7, 7], Bytes(reference, 6));
    }

    [Fact]
    public void A_snapshot_outlives_every_level_it_was_made_over()
    {
        var root = _family.CreateRoot(4 * Page);
        Fill(root, 0, 4, 1);
        var middle = Clone(root, new() { Size = 4 * Page });
        Fill(middle, 1, 1, 2);
        var last = Clone(middle, new() { Size = 4 * Page });
        var snapshot = Snapshot(last, 0, 4);
        var second = Snapshot(snapshot, 0, 4);
        foreach (var closed in new[] { root, middle, last, snapshot })
        {
            Assert.Equal(Outcome.Ok, _family.Close(closed));
            _family.Settle();
            _family.Crash();
            Assert.Equal([1, 2, 1, 1], Bytes(second, 4));
        }

        Assert.Equal(Outcome.Ok, _family.Close(second));
        _family.Settle();
        Assert.Empty(_family.Store.Koids);
    }

    [Fact]
    public void Over_256_live_levels_a_snapshot_can_be_made_and_over_more_it_is_refused_and_nothing_stays_pinned()
    {
        var vmos = new List<VmoHandle> { _family.CreateRoot(2 * Page) };
        for (var level = 0; level < Limits.LiveLevelsMax; level++)
        {
            Fill(vmos[^1], 0, 1, (byte)((level % 255) + 1));
            vmos.Add(Clone(vmos[^1], new() { Size = 2 * Page }));
        }

        var snapshot = Snapshot(vmos[^1], 0, 2);
        Assert.Equal(Limits.LiveLevelsMax, BasesOf(snapshot).Count);
        Assert.Equal([1, 0], Bytes(snapshot, 2));
        vmos.Add(Clone(vmos[^1], new() { Size = 2 * Page }));
        var (outcome, _, _) = _family.Clone(vmos[^1], 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = Page });
        Assert.Equal(VmoStatus.OutOfRange, outcome.Status);
        (outcome, _, _) = _family.Clone(vmos[^2], 1000, new CloneSpec { Kind = VmoKind.Snapshot, Size = Page });
        Assert.Equal(VmoStatus.NoMemory, outcome.Status);
        _family.Settle();
        Assert.All(vmos, vmo => Assert.Empty(Record(vmo).Pins.Entries));
    }

    [Fact]
    public void What_was_pinned_before_a_change_is_let_go_when_it_is_pinned_again()
    {
        var root = _family.CreateRoot(2 * Page);
        Fill(root, 0, 1, 1);
        var asker = Clone(root, new() { Size = 2 * Page });
        Assert.Equal(1u, Pin(root, asker, 1).Layer);
        Assert.Equal(1u, Pin(root, asker, 2).Layer);
        Fill(root, 0, 1, 2);
        Assert.Equal(2u, Pin(root, asker, 3).Layer);
        Assert.Equal((2u, 3ul), (Assert.Single(Record(root).Pins.Entries).Layer, Record(root).Pins.Entries[0].Stamp));
        Assert.DoesNotContain(1u, Record(root).Users.Keys);
        _family.Settle();
        Assert.Empty(Record(root).Users);
    }

    [Fact]
    public void A_held_ancestor_changes_after_half_a_second_or_when_it_is_told_and_holds_once_between_two_changes()
    {
        var root = _family.CreateRoot(2 * Page);
        var asker = Clone(root, new() { Size = 2 * Page });
        Pin(root, asker, 1, isHeld: true);
        Assert.InRange(TimeOfAWrite(root), Limits.MomentHoldMs, Limits.MomentHoldMs + 200);
        Assert.InRange(TimeOfAWrite(root), 0, 0);
        Pin(root, asker, 2, isHeld: true);
        Assert.Equal(Outcome.Ok, _family.Ask<VmoReply>(root.Koid, ticket => new KinInput(ticket, new Unpin(asker.Koid, 2, 0, []))).Outcome);
        Assert.InRange(TimeOfAWrite(root), 0, 0);
        Pin(root, asker, 3, isHeld: true);
        _family.Milliseconds += 400;
        Pin(root, asker, 4, isHeld: true);
        Assert.InRange(TimeOfAWrite(root), 100, 300);
    }

    [Fact]
    public void What_is_refused_anyway_asks_nobody()
    {
        var root = _family.CreateRoot(2 * Page);
        Fill(root, 0, 1, 1);
        var clone = Clone(root, new() { Size = 2 * Page });
        Assert.Equal(VmoStatus.InvalidArgs, _family.Clone(clone, 1, new CloneSpec { Kind = VmoKind.Snapshot, Offset = 1, Size = Page }).Outcome.Status);
        Assert.Equal(VmoStatus.OutOfRange, _family.Clone(clone, 0, new CloneSpec { Kind = VmoKind.Snapshot, Size = Page }).Outcome.Status);
        Assert.Equal(VmoStatus.BadHandle, _family.Clone(clone with { Secret = _family.NextSecret() }, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = Page }).Outcome.Status);
        Assert.Equal(0, _family.Walks);
        Assert.Equal(1, _family.Store.Layers.Count(layer => layer.Home == root.Koid));
    }

    private PinReply Pin(VmoHandle of, VmoHandle asker, ulong stamp, bool isHeld = false)
    {
        var reply = _family.Ask<PinReply>(of.Koid, ticket => new PinInput(ticket, new(1, new(new(900), 2), asker.Koid, stamp, isHeld)));
        Assert.Equal(Outcome.Ok, reply.Outcome);
        Assert.False(reply.IsTorn);
        return reply;
    }

    private long TimeOfAWrite(VmoHandle to)
    {
        var began = _family.Milliseconds;
        Fill(to, 1, 1, 5);
        return _family.Milliseconds - began;
    }

    private IReadOnlyList<BaseRef> BasesOf(VmoHandle vmo) =>
        Below.Decode(_family.Store.LoadLayer(new(vmo.Koid, 1), [Encoding.FieldNames.Below])!.Fields[0].Value.Span).Bases;

    private VmoRecord Record(VmoHandle vmo) => VmoRecord.Decode(_family.Store.LoadRecord(vmo.Koid));

    private byte[] Bytes(VmoHandle vmo, int pages)
    {
        var (outcome, data) = _family.Read(vmo, 0, pages * (int)Page);
        Assert.Equal(Outcome.Ok, outcome);
        return [.. Enumerable.Range(0, pages).Select(page => data[page * (int)Page])];
    }

    private void Fill(VmoHandle vmo, ulong first, int pages, byte with)
    {
        var data = new byte[pages * (int)Page];
        Array.Fill(data, with);
        Assert.Equal(Outcome.Ok, _family.Write(vmo, first * Page, data));
    }

    private VmoHandle Snapshot(VmoHandle of, ulong first, ulong pages) => Clone(of, new() { Kind = VmoKind.Snapshot, Offset = first * Page, Size = pages * Page });

    private VmoHandle Clone(VmoHandle of, CloneSpec spec)
    {
        var (outcome, _, handles) = _family.Clone(of, 1, spec);
        Assert.Equal(Outcome.Ok, outcome);
        return handles[0];
    }
}
