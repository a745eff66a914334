using Microsoft.Extensions.Time.Testing;
using VmoCluster.Grains.Serving;

namespace VmoCluster.Grains.Tests.Serving;

/// <summary>When an activation leaves a silo for want of a store, and how many do.</summary>
public sealed class MovesTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly FakeSession _session = new();
    private readonly FakeSessionStore _store;
    private readonly Moves _moves;

    public MovesTests()
    {
        var sessions = FakeSessionStore.Create(out _store);
        _moves = new(sessions, _session, new AllServe(), _clock);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Nobody_leaves_a_silo_that_has_a_store_or_a_lease(bool isReachable, bool isOver)
    {
        (_store.Condition, _session.IsOver) = (new(null, 0, isReachable), isOver);
        Assert.False(_moves.TryBegin());
    }

    [Fact]
    public void A_thousand_a_second_leave_one_that_has_neither()
    {
        (_store.Condition, _session.IsOver) = (new(null, 0, IsReachable: false), true);
        var begun = 0;
        for (var step = 0; step < 10_000; step++)
        {
            begun += _moves.TryBegin() ? 1 : 0;
            _clock.Advance(TimeSpan.FromMicroseconds(100));
        }

        Assert.Equal(1000, begun);
    }

    private sealed class AllServe : IServingSilos
    {
        public bool IsLeaving => false;

        public bool IsServing(SiloAddress silo) => true;
    }
}
