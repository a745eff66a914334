using Microsoft.Extensions.Time.Testing;
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

    private static GrantHolders New(out FakeSessionStore store) =>
        new(new HeldGrants(1 << 20), new FakeSession(), FakeSessionStore.Create(out store), StoreHoldingsTests.AskedStore.Create(out _), new FakeTimeProvider());

    private sealed class Holder : IGrantHolder
    {
        public int Recalled { get; private set; }

        public bool IsBroken { get; init; }

        public Task RecallAsync(Koid vmo, ulong[]? areas)
        {
            Recalled++;
            return IsBroken ? throw new InvalidOperationException("not there") : Task.CompletedTask;
        }
    }
}
