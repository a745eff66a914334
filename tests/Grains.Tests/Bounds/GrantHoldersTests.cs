using Microsoft.Extensions.Time.Testing;
using VmoCluster.Core.Family;
using VmoCluster.Core.Live;

namespace VmoCluster.Grains.Tests.Bounds;

/// <summary>How many silos are known by a reference of theirs. Whoever is not known is written to, and what he holds is taken back all the same.</summary>
public sealed class GrantHoldersTests
{
    private const ulong Known = 1024;
    private static readonly Koid Vmo = new(7);

    [Fact]
    public async Task One_more_than_are_remembered_makes_all_others_be_told_by_letter()
    {
        var holders = New(out var store);
        var answering = new Holder();
        for (var session = 2UL; session < 2 + Known; session++)
            holders.Note(session, answering);
        Assert.True((await holders.RecallAsync(Vmo, [2, 1 + Known], null)).IsOk);
        Assert.Equal((2, 0), (answering.Recalled, store.Letters.Count));

        // Who is known already takes nobody's place.
        holders.Note(2, answering);
        holders.Note(2 + Known, answering);
        Assert.True((await holders.RecallAsync(Vmo, [2, 1 + Known, 2 + Known], null)).IsOk);
        Assert.Equal(3, answering.Recalled);
        Assert.Equal([2, 1 + Known], store.Letters.Order().ToArray());
    }

    [Fact]
    public async Task One_that_does_not_answer_is_told_by_letter()
    {
        var holders = New(out var store);
        holders.Note(2, new Holder { IsBroken = true });
        Assert.True((await holders.RecallAsync(Vmo, [2], [GrantArea.Of(5)])).IsOk);
        Assert.Equal([2], store.Letters);
    }

    // What it had sent under the session before may still be on its way: only when that is dead, and fenced, is it out of the way.
    [Fact]
    public async Task One_whose_session_is_another_says_no()
    {
        var session = new FakeSession();
        var (held, time) = (new HeldGrants(1 << 20), new FakeTimeProvider());
        var views = new LiveViews(held, session, null!, time);
        await views.RecallAsync(Vmo, session.Id, null);
        await Assert.ThrowsAsync<InvalidOperationException>(() => views.RecallAsync(Vmo, session.Id + 1, null));

        // Nor does it wait for good at a gate that is never left.
        Assert.True(ViewOf(held).TryEnter());
        var waiting = views.RecallAsync(Vmo, session.Id, null);
        Assert.False(waiting.IsCompleted);
        held.Lose(1);
        time.Advance(GrantHolders.Direct);
        await Assert.ThrowsAsync<TimeoutException>(() => waiting);
        await views.RecallAsync(Vmo, session.Id, null);
    }

    // A commit of a VMO that has moved on, and whose outcome nobody knows, is inside a gate until the session is over: the silo writes to itself.
    [Fact]
    public async Task A_gate_of_its_own_that_nobody_leaves_holds_a_recall_up_no_longer_than_a_lease()
    {
        var (held, time) = (new HeldGrants(1 << 20), new FakeTimeProvider());
        var holders = New(out var store, held, time);
        Assert.True(ViewOf(held).TryEnter());
        var recall = holders.RecallAsync(Vmo, [1], null);
        time.Advance(TimeSpan.FromMilliseconds(Limits.SessionLeaseMs - 1));
        Assert.False(recall.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True((await recall).IsOk);
        Assert.Equal([1], store.Letters);
    }

    private static LiveView ViewOf(HeldGrants held)
    {
        var walk = new LiveWalk(Vmo, 0);
        walk.Take([held.Accept(
            new() { Vmo = Vmo, Area = GrantArea.Of(0), Session = 1, Shown = FrozenExtent.Empty, Size = ulong.MaxValue, Parent = Koid.None, ParentOffset = 0 }, held.Mark(), isTold: false)!]);
        return walk.Compose(1)!;
    }

    private static GrantHolders New(out FakeSessionStore store, HeldGrants? held = null, FakeTimeProvider? time = null) =>
        new(held ?? new(1 << 20), new FakeSession(), FakeSessionStore.Create(out store), StoreHoldingsTests.AskedStore.Create(out _), time ?? new());

    private sealed class Holder : IGrantHolder
    {
        public int Recalled { get; private set; }

        public bool IsBroken { get; init; }

        public Task RecallAsync(Koid vmo, ulong holder, ulong[]? areas)
        {
            Recalled++;
            return IsBroken ? throw new InvalidOperationException("not there") : Task.CompletedTask;
        }
    }
}
