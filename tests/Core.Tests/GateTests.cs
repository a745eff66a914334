using VmoCluster.Core.Family;
using VmoCluster.Core.Live;

namespace VmoCluster.Core.Tests;

/// <summary>A recall waits for whoever relies on what it takes back, however the gates are kept.</summary>
public sealed class GateTests
{
    private const int Levels = 50;
    private readonly HeldGrants _grants = new(1 << 20);

    [Fact]
    public void A_recall_of_any_ancestor_waits_for_a_commit_inside_the_gate_of_a_view_and_nobody_enters_after_it()
    {
        for (var level = 1; level <= Levels; level++)
        {
            var view = View();
            Assert.True(view.TryEnter());
            var recall = _grants.RecallAsync(new((ulong)level), [GrantArea.Of(0)]);
            Assert.False(recall.IsCompleted);
            Assert.False(view.IsValid);
            Assert.False(view.TryEnter());
            view.Leave();
            Assert.True(SpinWait.SpinUntil(() => recall.IsCompletedSuccessfully, 5000), "the recall does not hear that the gate was left");
        }
    }

    [Fact]
    public void A_recall_waits_for_a_gate_whose_view_nobody_holds_any_more()
    {
        EnterAndForget();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        // As many views of the same ancestors as make those who keep them look for what has gone.
        for (var i = 0; i < 100; i++)
            View();
        Assert.False(_grants.RecallAsync(new(1), null).IsCompleted);
    }

    [Fact]
    public void A_view_of_what_was_recalled_while_it_was_put_together_is_none()
    {
        var walk = new LiveWalk(new(1), 0);
        for (var level = 1; level <= Levels; level++)
        {
            walk.Take([Held(level)]);
            if (level == Levels / 2)
                Assert.True(_grants.RecallAsync(new(3), null).IsCompletedSuccessfully);
        }

        Assert.Null(walk.Compose(1));
        Assert.NotNull(View());
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private void EnterAndForget() => Assert.True(View().TryEnter());

    private LiveView View()
    {
        var walk = new LiveWalk(new(1), 0);
        for (var level = 1; level <= Levels; level++)
            walk.Take([Held(level)]);
        var view = walk.Compose(1);
        Assert.NotNull(view);
        return view;
    }

    private Grant Held(int level) => _grants.Find(new((ulong)level), 0, 1) ?? _grants.Accept(new()
    {
        Vmo = new((ulong)level), Area = GrantArea.Of(0), Session = 1, Shown = FrozenExtent.Empty, Size = 256, Parent = level == Levels ? Koid.None : new((ulong)level + 1), ParentOffset = 0,
    }, _grants.Mark(), isTold: false)!;
}
