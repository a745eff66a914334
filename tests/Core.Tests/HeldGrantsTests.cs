using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Live;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests;

/// <summary>P11, P2: what a silo holds of live parents is bounded, and what it gives up by itself is taken back all the same.</summary>
public class HeldGrantsTests
{
    private const ulong Session = 7;
    private static readonly Koid Parent = new(1);

    [Fact]
    public void Grants_and_views_stay_within_their_bytes_and_those_used_last_stay()
    {
        var held = new HeldGrants(bytesMax: 100_000, keptMin: 4);
        for (var extent = 0ul; extent < 10_000; extent++)
        {
            View(held, extent);
            Assert.True(held.Bytes <= 100_000, $"{held.Bytes} bytes after {extent + 1} views");
            // This one is looked at all the time.
            Assert.True(held.TryGet(Parent, 0, Session, out _), $"the view in use was given up after {extent + 1} others");
        }

        Assert.True(held.Trimmed > 9000, $"{held.Trimmed} grants were given up");
        Assert.True(held.TryGet(Parent, 9999, Session, out _));
        Assert.False(held.TryGet(Parent, 5000, Session, out _));
    }

    [Fact]
    public async Task Views_of_one_grant_stay_within_their_bytes_too_and_a_recall_waits_for_those_inside_of_one_that_was_given_up()
    {
        var held = new HeldGrants(bytesMax: 100_000, keptMin: 4);
        var disk = new Grant { Vmo = Parent, Area = GrantArea.Around(0, 7), Session = Session, Shown = FrozenExtent.Empty, Size = ulong.MaxValue, Parent = Koid.None, ParentOffset = 0 };
        Assert.NotNull(held.Accept(disk, held.Mark(), isTold: false));
        LiveView first = null!;
        for (var extent = 0ul; extent < 10_000; extent++)
        {
            var walk = new LiveWalk(Parent, extent);
            walk.Take([held.Find(Parent, extent, Session)!]);
            var view = walk.Compose(Session)!;
            held.Put(Parent, extent, view);
            Assert.True(held.Bytes <= 100_000, $"{held.Bytes} bytes after {extent + 1} views");
            // What was put last is there, and what is looked at all the time.
            Assert.True(held.TryGet(Parent, extent, Session, out _));
            Assert.True(held.TryGet(Parent, 0, Session, out _), $"the view in use was given up after {extent + 1} others");
            if (extent == 1)
            {
                first = view;
                Assert.True(first.TryEnter());
            }
        }

        Assert.Equal(1, held.Count);
        Assert.False(first.IsValid);
        var recall = held.RecallAsync(Parent, [disk.Area]);
        Assert.False(recall.IsCompleted, "somebody relies on a view of it still");
        first.Leave();
        await recall.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void However_few_bytes_there_are_a_view_through_as_many_ancestors_as_are_kept_comes_about()
    {
        var held = new HeldGrants(bytesMax: 0, keptMin: 5);
        for (var round = 0ul; round < 10; round++)
        {
            var walk = new LiveWalk(Parent, round);
            for (var level = 1ul; walk.Needs.Count > 0; level++)
                walk.Take([held.Accept(Grant(new(level), round, level < 5 ? new(level + 1) : Koid.None), held.Mark(), isTold: false)!]);
            Assert.NotNull(walk.Compose(Session));
            Assert.Equal(5, held.Count);
        }
    }

    [Fact]
    public void A_blob_that_was_forgotten_is_known_for_a_while_so_that_each_VMO_that_is_told_of_it_need_not_look_through_all()
    {
        var held = new HeldGrants(bytesMax: 100_000);
        Assert.False(held.HasForgotten(Gone(1)));
        for (var counter = 1u; counter <= 10_000; counter++)
        {
            held.Forget(Gone(counter));
            Assert.True(held.HasForgotten(Gone(counter)));
        }

        Assert.False(held.HasForgotten(Gone(1)), "the list is not bounded");
    }

    // A blob that was unlinked in a time that the store has lost is there again. When it went once more, it was taken for one that all had forgotten, and its page for lost.
    [Fact]
    public void What_had_gone_before_the_store_lost_its_past_may_go_again()
    {
        var held = new HeldGrants(bytesMax: 1 << 20);
        held.Forget(Gone(1));
        var mark = held.Mark();
        held.ForgetGoneOfAll();
        Assert.False(held.HasForgotten(Gone(1)));
        Assert.Empty(held.Gone);
        Assert.Null(held.Accept(Naming(extent: 1), mark, isTold: true));
        Assert.NotNull(held.Accept(Naming(extent: 0), held.Mark(), isTold: true));
        held.Forget(Gone(1));
        Assert.Null(held.Find(Parent, 0, Session));
    }

    // A layer's pages move from blob to blob again and again. An answer that was under way when the second was found gone was taken for one that
    // knew of it, because the layer had been told of before; whoever asked again got the same blob twice and took its page for lost.
    [Fact]
    public void An_answer_asked_for_before_a_blob_was_found_gone_is_dropped_though_another_blob_of_the_layer_was_gone_before()
    {
        var held = new HeldGrants(bytesMax: 1 << 20);
        held.Forget(Gone(1));
        var mark = held.Mark();
        Assert.NotNull(held.Accept(Naming(extent: 0), mark, isTold: true));
        held.Forget(Gone(2));
        Assert.Null(held.Find(Parent, 0, Session));
        Assert.Null(held.Accept(Naming(extent: 1), mark, isTold: true));
        Assert.NotNull(held.Accept(Naming(extent: 1), held.Mark(), isTold: true));
        // Found gone once more, by somebody who had looked before: nothing is older than the first time.
        held.Forget(Gone(2));
        Assert.NotNull(held.Find(Parent, 1, Session));
        Assert.Null(held.Accept(Naming(extent: 2), held.Mark(), isTold: false));
    }

    [Fact]
    public void An_answer_older_than_what_is_known_to_be_gone_is_dropped()
    {
        var held = new HeldGrants(bytesMax: 1 << 20);
        var mark = held.Mark();
        for (var counter = 1u; counter <= 10_000; counter++)
            held.Forget(Gone(counter));
        Assert.Null(held.Accept(Grant(Parent, 0), mark, isTold: true));
        Assert.NotNull(held.Accept(Grant(Parent, 0), held.Mark(), isTold: true));
        Assert.True(held.Gone.Count <= 32, $"{held.Gone.Count} are told");
    }

    [Fact]
    public void A_view_ends_with_a_grant_that_was_given_up()
    {
        var held = new HeldGrants(bytesMax: 0, keptMin: 1);
        var view = View(held, 0);
        View(held, 1);
        Assert.False(view.IsValid);
        Assert.Null(held.Find(Parent, 0, Session));
    }

    [Fact]
    public async Task A_recall_waits_for_those_inside_the_gate_of_what_was_given_up()
    {
        var held = new HeldGrants(bytesMax: 0, keptMin: 1);
        var view = View(held, 0);
        Assert.True(view.TryEnter());
        View(held, 1);
        var recall = held.RecallAsync(Parent, [GrantArea.Of(0)]);
        Assert.False(recall.IsCompleted);
        view.Leave();
        await recall.WaitAsync(TimeSpan.FromSeconds(10));
    }

    // Of a commit whose outcome nobody knows, when the VMO ends with its session, nobody leaves the gate: every later recall of the ancestor waited for it, for good.
    [Fact]
    public void A_recall_does_not_wait_for_those_who_entered_under_a_session_that_is_over()
    {
        var held = new HeldGrants(bytesMax: 1 << 20);
        var grant = held.Accept(Naming(0), held.Mark(), isTold: false)!;
        var walk = new LiveWalk(Parent, 0);
        walk.Take([grant]);
        var view = walk.Compose(Session)!;
        held.Put(Parent, 0, view);
        Assert.True(view.TryEnter());
        held.Forget(Gone(9));
        Assert.False(held.RecallAsync(Parent, null).IsCompleted);
        held.Lose(Session);
        Assert.True(held.RecallAsync(Parent, null).IsCompleted);
    }

    [Fact]
    public void Nothing_is_kept_of_what_was_recalled()
    {
        var held = new HeldGrants(bytesMax: 1 << 20);
        for (var extent = 0ul; extent < 100; extent++)
            View(held, extent);
        Assert.True(held.RecallAsync(Parent, null).IsCompleted);
        Assert.Equal((0, 0), (held.Count, held.Bytes));
        View(held, 1);
        held.Lose(Session);
        Assert.Equal((0, 0), (held.Count, held.Bytes));
    }

    [Fact]
    public void A_stretch_shows_all_of_its_extents_and_all_views_of_it_end_with_it()
    {
        var held = new HeldGrants(bytesMax: 1 << 20);
        var stretch = new Grant
        {
            Vmo = Parent, Area = GrantArea.Around(21, 2), Session = Session, Shown = FrozenExtent.Empty, Size = ulong.MaxValue, Parent = Koid.None, ParentOffset = 0,
        };
        Assert.Same(stretch, held.Accept(stretch, held.Mark(), isTold: false));
        Assert.Equal((new PageRange(new(16 * Limits.ExtentPages), 16 * Limits.ExtentPages), 1), (stretch.Area.Pages, held.Count));
        var views = new List<LiveView>();
        for (var extent = 0ul; extent < 64; extent++)
        {
            Assert.Equal(extent is >= 16 and < 32, ReferenceEquals(held.Find(Parent, extent, Session), stretch));
            if (extent is < 16 or >= 32)
                continue;
            // Two of its extents may be asked for at once: it is the one that meets both.
            var walk = new LiveWalk(Parent, extent);
            walk.Take([stretch, stretch]);
            views.Add(walk.Compose(Session)!);
            held.Put(Parent, extent, views[^1]);
        }

        // Of another area there is nothing to take back, though it lies within.
        Assert.True(held.RecallAsync(Parent, [GrantArea.Of(21), GrantArea.Around(21, 1)]).IsCompleted);
        Assert.All(views, view => Assert.True(view.IsValid));
        Assert.True(views[3].TryEnter());
        var recall = held.RecallAsync(Parent, [stretch.Area]);
        Assert.False(recall.IsCompleted);
        Assert.All(views, view => Assert.False(view.IsValid));
        Assert.Equal((0, 0), (held.Count, held.Bytes));
        Assert.Null(held.Find(Parent, 21, Session));
        views[3].Leave();
        Assert.True(recall.IsCompleted);
    }

    [Fact]
    public void The_count_of_recalls_is_bounded_and_still_drops_every_answer_that_one_has_overtaken()
    {
        var held = new HeldGrants(bytesMax: 1 << 20, recallsMax: 10);
        var mark = held.Mark();
        for (var vmo = 1ul; vmo <= 1000; vmo++)
        {
            held.RecallAsync(new(vmo), null);
            Assert.True(held.RecallsKnown <= 10, $"{held.RecallsKnown} recalls are known");
        }

        for (var vmo = 1ul; vmo <= 1000; vmo++)
            Assert.Null(held.Accept(Grant(new(vmo), 0), mark, isTold: false));
        // What was asked for since is taken, whether its last recall is known or forgotten.
        Assert.NotNull(held.Accept(Grant(new(1), 0), held.Mark(), isTold: false));
        Assert.NotNull(held.Accept(Grant(new(1000), 0), held.Mark(), isTold: false));
    }

    private static LiveView View(HeldGrants held, ulong extent)
    {
        var walk = new LiveWalk(Parent, extent);
        walk.Take([held.Accept(Grant(Parent, extent), held.Mark(), isTold: false)!]);
        var view = walk.Compose(Session)!;
        held.Put(Parent, extent, view);
        return view;
    }

    private static GoneBlob Gone(uint counter) => new(new(Parent, 1), new(1, counter));

    // Its first page lies in a blob of the parent's first layer.
    private static Grant Naming(ulong extent)
    {
        var shown = new FrozenExtent.Builder();
        shown.Set(0, new(new(Parent, 1), new(SlotState.Data, 1, new(1, 9), 0, 0, 0)));
        return Grant(Parent, extent, shown: shown.Build());
    }

    private static Grant Grant(Koid vmo, ulong extent, Koid parent = default, FrozenExtent? shown = null) => new()
    {
        Vmo = vmo, Area = GrantArea.Of(extent), Session = Session, Shown = shown ?? FrozenExtent.Empty, Size = ulong.MaxValue, Parent = parent, ParentOffset = 0,
    };
}
