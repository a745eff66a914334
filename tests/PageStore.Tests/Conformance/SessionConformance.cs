using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Conformance;

public abstract class SessionConformance(StoreBackend backend) : StoreConformance(backend)
{
    private const ulong Session = 0xfedc_ba98_7654_3210;
    private const ulong Other = 0x1;

    [Fact]
    public async Task A_session_begins_at_counter_one_and_moves_with_each_renewal()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        Assert.Equal(new(1, 0, false, true), await StateAsync(Session));

        Assert.True((await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None)).IsAlive);
        Assert.True((await Sessions.RenewAsync(Session, 2, 0, CancellationToken.None)).IsAlive);

        Assert.Equal(new(3, 0, false, true), await StateAsync(Session));
    }

    [Fact]
    public async Task A_session_id_is_used_once()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);

        await Assert.ThrowsAsync<StoreException>(async () => await Sessions.OpenSessionAsync(Session, "silo b", CancellationToken.None));
    }

    [Fact]
    public async Task A_session_nobody_opened_does_not_exist_and_cannot_renew()
    {
        Assert.False((await StateAsync(Session)).Exists);
        Assert.False((await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None)).IsAlive);
        Assert.False((await StateAsync(Session)).Exists);
    }

    [Fact]
    public async Task A_repeated_renewal_keeps_the_session_alive_and_moves_the_counter()
    {
        // The answer to the first renewal was lost. The repeat's lease runs from the repeat, so those who watch must see it move again.
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None);

        Assert.True((await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None)).IsAlive);

        Assert.Equal(3UL, (await StateAsync(Session)).Counter);
    }

    [Fact]
    public async Task A_counter_from_the_future_is_no_renewal()
    {
        // The store lost what came after: a failover went back behind this session's last renewal.
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);

        Assert.False((await Sessions.RenewAsync(Session, 2, 0, CancellationToken.None)).IsAlive);
    }

    [Fact]
    public async Task A_session_that_moved_is_not_marked_dead()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None);

        Assert.False(await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None));
        Assert.True((await Sessions.RenewAsync(Session, 2, 0, CancellationToken.None)).IsAlive);
    }

    [Fact]
    public async Task Dead_is_final()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);

        Assert.True(await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None));

        Assert.False((await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None)).IsAlive);
        Assert.True((await StateAsync(Session)).IsDead);
        Assert.True(await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None));
        Assert.Equal(0UL, await Sessions.SendLetterAsync(Session, LetterKind.GiveUp, new(1), "", CancellationToken.None));
    }

    [Fact]
    public async Task Of_a_renewal_and_a_marking_one_wins()
    {
        for (var round = 0UL; round < 20; round++)
        {
            await Sessions.OpenSessionAsync(round + 10, "silo", CancellationToken.None);
            var renewal = Sessions.RenewAsync(round + 10, 1, 0, CancellationToken.None).AsTask();
            var marking = Sessions.MarkDeadAsync(round + 10, 1, CancellationToken.None).AsTask();

            Assert.NotEqual((await renewal).IsAlive, await marking);
        }
    }

    [Fact]
    public async Task The_living_are_listed_without_the_dead()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Sessions.OpenSessionAsync(Other, "silo b", CancellationToken.None);
        await Sessions.SendLetterAsync(Other, LetterKind.Drop, new(3), "", CancellationToken.None);
        await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None);

        Assert.Equal([Other], (await Sessions.ReadSessionsAsync(CancellationToken.None)).Keys);
    }

    [Fact]
    public async Task Letters_come_in_order_until_they_are_acknowledged()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        Assert.Equal(1UL, await Sessions.SendLetterAsync(Session, LetterKind.GiveUp, new(7), "", CancellationToken.None));
        Assert.Equal(2UL, await Sessions.SendLetterAsync(Session, LetterKind.Retire, new(8), "8.3 with words", CancellationToken.None));

        var first = await Sessions.RenewAsync(Session, 1, 0, CancellationToken.None);
        Assert.Equal([new(1, LetterKind.GiveUp, new(7), ""), new(2, LetterKind.Retire, new(8), "8.3 with words")], first.Letters);
        Assert.Equal([2UL], (await Sessions.RenewAsync(Session, 2, 1, CancellationToken.None)).Letters.Select(l => l.Number));
        Assert.Equal(1UL, (await StateAsync(Session)).AckedLetter);
        Assert.Empty((await Sessions.RenewAsync(Session, 3, 2, CancellationToken.None)).Letters);

        Assert.Equal(3UL, await Sessions.SendLetterAsync(Session, LetterKind.Drop, new(9), "", CancellationToken.None));
        // An acknowledgement never goes back, and never ahead of what was sent.
        Assert.Equal([3UL], (await Sessions.RenewAsync(Session, 4, 1, CancellationToken.None)).Letters.Select(l => l.Number));
        await Sessions.RenewAsync(Session, 5, 99, CancellationToken.None);
        Assert.Equal(3UL, (await StateAsync(Session)).AckedLetter);
    }

    [Fact]
    public async Task Many_letters_come_over_several_renewals()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Task.WhenAll(Enumerable.Range(1, 300).Select(async i => await Sessions.SendLetterAsync(Session, LetterKind.GiveUp, new((ulong)i), "", CancellationToken.None)));

        var numbers = new List<ulong>();
        for (var counter = 1UL; numbers.Count < 300; counter++)
        {
            var renewal = await Sessions.RenewAsync(Session, counter, (ulong)numbers.Count, CancellationToken.None);
            Assert.NotEmpty(renewal.Letters);
            numbers.AddRange(renewal.Letters.Select(l => l.Number));
        }

        Assert.Equal(Enumerable.Range(1, 300).Select(i => (ulong)i), numbers);
    }

    [Fact]
    public async Task Unfinished_work_outlives_its_session_and_is_an_estate()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Sessions.OpenSessionAsync(Other, "silo b", CancellationToken.None);
        await Sessions.NoteUnfinishedAsync(Session, new(5), CancellationToken.None);
        await Sessions.NoteUnfinishedAsync(Session, new(6), CancellationToken.None);
        await Sessions.NoteUnfinishedAsync(Other, new(7), CancellationToken.None);
        Assert.Empty(await Sessions.ReadEstatesAsync(CancellationToken.None));

        await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None);

        Assert.Equal([Session], await Sessions.ReadEstatesAsync(CancellationToken.None));
        Assert.Equal([new(5), new(6)], (await Sessions.ReadUnfinishedAsync(Session, CancellationToken.None)).Order());
        await Sessions.ClearUnfinishedAsync(Session, new(5), CancellationToken.None);
        Assert.Equal([Session], await Sessions.ReadEstatesAsync(CancellationToken.None));
        await Sessions.ClearUnfinishedAsync(Session, new(6), CancellationToken.None);
        Assert.Empty(await Sessions.ReadEstatesAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Newborns_are_an_estate_as_long_as_there_are_some()
    {
        await Sessions.NoteUnfinishedAsync(ISessionStore.Newborns, new(5), CancellationToken.None);
        Assert.Equal([ISessionStore.Newborns], await Sessions.ReadEstatesAsync(CancellationToken.None));
        Assert.Equal([new(5)], await Sessions.ReadUnfinishedAsync(ISessionStore.Newborns, CancellationToken.None));
        Assert.Empty(await Sessions.ReadSessionsAsync(CancellationToken.None));
        await Sessions.ClearUnfinishedAsync(ISessionStore.Newborns, new(5), CancellationToken.None);
        Assert.Empty(await Sessions.ReadEstatesAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_dead_session_begins_nothing_new()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None);

        await Assert.ThrowsAsync<StoreException>(async () => await Sessions.NoteUnfinishedAsync(Session, new(5), CancellationToken.None));
        Assert.Empty(await Sessions.ReadUnfinishedAsync(Session, CancellationToken.None));
    }

    [Fact]
    public async Task A_settled_estate_leaves_nothing_behind()
    {
        await Sessions.OpenSessionAsync(Session, "silo a", CancellationToken.None);
        await Sessions.SendLetterAsync(Session, LetterKind.GiveUp, new(7), "", CancellationToken.None);
        await Sessions.NoteUnfinishedAsync(Session, new(5), CancellationToken.None);
        await Sessions.MarkDeadAsync(Session, 1, CancellationToken.None);
        await Sessions.ClearUnfinishedAsync(Session, new(5), CancellationToken.None);

        await Sessions.ReadEstatesAsync(CancellationToken.None);

        Assert.False((await StateAsync(Session)).Exists);
        Assert.Equal(["store"], await Store.Membership.GetDatabase().HashKeysAsync(Options.KeyPrefix + "{sessions}"));
    }

    private async Task<SessionState> StateAsync(ulong session) => await Sessions.ReadSessionAsync(session, CancellationToken.None);
}
