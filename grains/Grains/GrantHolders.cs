using System.Collections.Concurrent;
using VmoCluster.Core.Live;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>
/// The silos that hold grants of this silo's VMOs, by session, and how to take grants back: at once where the silo answers, else by a letter that
/// its session must acknowledge to live on. Of a session that is dead, what it may still have on its way is fenced off first.
/// </summary>
public sealed class GrantHolders(HeldGrants own, ISiloSession session, ISessionStore sessions, IPageStore store, TimeProvider time)
{
    /// <summary>How long a silo is waited for that is asked at once.</summary>
    public static readonly TimeSpan Direct = TimeSpan.FromSeconds(1);

    // This one: a letter to itself that it cannot do costs it its session.
    private static readonly TimeSpan Own = TimeSpan.FromMilliseconds(Limits.SessionLeaseMs);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    // A letter is acknowledged, or its session dead, within lease and margin and a renewal; longer, and the store itself is in trouble.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(2 * (Limits.SessionLeaseMs + Limits.SessionMarginMs));

    private const int LoadsAtOnce = 64;

    // Every start of a silo is a session; whom we forget is told by letter.
    private const int KnownMax = 1024;

    private readonly ConcurrentDictionary<ulong, IGrantHolder> _holders = new();

    /// <summary>How to reach a silo that asked for a grant.</summary>
    public void Note(ulong holder, IGrantHolder reference)
    {
        if (_holders.Count >= KnownMax && !_holders.ContainsKey(holder))
            _holders.Clear();
        _holders[holder] = reference;
    }

    /// <summary>Takes back what sessions hold of a VMO. Ok: none of them shows it any more.</summary>
    public async Task<Outcome> RecallAsync(Koid vmo, IReadOnlyList<ulong> holders, IReadOnlyCollection<GrantArea>? areas)
    {
        var outcomes = await Task.WhenAll(holders.Select(holder => RecallAsync(vmo, holder, areas)));
        return outcomes.FirstOrDefault(outcome => !outcome.IsOk);
    }

    /// <summary>Makes sure that nothing a dead session has on its way changes what relies on a VMO's pages. Throws <see cref="StoreException"/>.</summary>
    public async Task FenceAsync(Koid vmo, IReadOnlyCollection<ulong> dead)
    {
        var walk = new FenceWalk(vmo, dead.ToHashSet());
        while (walk.Needs.Count > 0)
        {
            var records = new List<StoredHash?>(walk.Needs.Count);
            foreach (var some in walk.Needs.Chunk(LoadsAtOnce))
            {
                var loads = await Task.WhenAll(some.Select(koid => store.LoadRecordAsync(koid, CancellationToken.None).AsTask()));
                records.AddRange(loads.Select(load => load.Existence == Existence.Exists ? load.Hash : null));
            }

            walk.Take(records);
        }

        foreach (var some in walk.Owned.Chunk(LoadsAtOnce))
            await Task.WhenAll(some.Select(owned => store.ReleaseAsync(owned.Vmo, owned.Owner, leftBy: owned.Owner.Nonce, CancellationToken.None).AsTask()));
    }

    private async Task<Outcome> RecallAsync(Koid vmo, ulong holder, IReadOnlyCollection<GrantArea>? areas)
    {
        try
        {
            if (holder == session.Id)
            {
                await own.RecallAsync(vmo, areas).WaitAsync(Own, time);
                if (session.Id == holder)
                    return Outcome.Ok;
            }
            else if (_holders.TryGetValue(holder, out var reference))
            {
                await reference.RecallAsync(vmo, holder, areas is null ? null : [.. areas.Select(area => area.Value)]).WaitAsync(Direct, time);
                return Outcome.Ok;
            }
        }
        catch (Exception) // It did not answer, or a commit of its own is inside a gate and nobody knows its outcome, or whatever: the letter decides.
        {
            _holders.TryRemove(holder, out _);
        }

        return await WriteAsync(vmo, holder);
    }

    private async Task<Outcome> WriteAsync(Koid vmo, ulong holder)
    {
        try
        {
            var number = await sessions.SendLetterAsync(holder, LetterKind.Drop, vmo, "", CancellationToken.None);
            for (var started = time.GetTimestamp(); number != 0 && time.GetElapsedTime(started) < Patience;)
            {
                var state = await sessions.ReadSessionAsync(holder, CancellationToken.None);
                if (!state.Exists || state.IsDead)
                {
                    await FenceAsync(vmo, [holder]);
                    return Outcome.Ok;
                }

                if (state.AckedLetter >= number)
                    return Outcome.Ok;
                await Task.Delay(Poll, time);
            }

            if (number != 0)
                return new(VmoStatus.ShouldWait, $"a silo holds pages of VMO {vmo} and does not give them back", 500);
            await FenceAsync(vmo, [holder]);
            return Outcome.Ok;
        }
        catch (StoreException failure)
        {
            return new(failure.Status, failure.Message, 200);
        }
    }
}
