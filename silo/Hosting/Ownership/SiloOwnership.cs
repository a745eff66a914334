using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting.Ownership;

/// <summary>
/// The silo's table of owning activations, and the way into it.
/// <para>
/// What makes taking over safe. An activation stands in the table from before its take-over is sent until it has left, and by then nothing
/// of it acts any more. So when this silo is asked by letter to give a VMO up, the table knows whoever could still act for it, also one
/// whose take-over is still on its way. A letter's acknowledgement is about the owner that was read before it was sent; if the silo has
/// taken the VMO anew since, the compare of the owner fails and a new letter goes out.
/// </para>
/// <para>
/// Nothing in here goes on in a turn of the activation that asks: its place in the table is decided also when its turns no longer come.
/// </para>
/// </summary>
internal sealed partial class SiloOwnership(
    IPageStore pages, ISessionStore sessions, SiloSession session, SessionStates states, TimeProvider time, ILogger<SiloOwnership> logger)
    : IOwnership, ILetterDuty
{
    /// <summary>How long an activation on this silo may take to give up. Longer, and the newcomer is told to come again.</summary>
    // Within what a letter may take.
    private static readonly TimeSpan FinishBound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan HandOverBound = TimeSpan.FromSeconds(2);

    /// <summary>How long an acquisition may ask the store; well below the keeper's bound for letters.</summary>
    private static readonly TimeSpan AcquireBound = TimeSpan.FromSeconds(2);

    private const int NoSessionHintMs = 200;
    private const int LetterHintMs = 250;

    // Owners found in a row before the newcomer is told to come again: others want the VMO, too.
    private const int RacesMax = 4;

    private readonly ConcurrentDictionary<Koid, OwnershipEntry> _table = new();
    private readonly LettersSent _letters = new(time);

    // Owners of this session by whom nobody has acted: their take-over was not answered in time. They need not be remembered; or a store that acknowledges
    // nothing for a while would remember no others.
    private readonly ConcurrentDictionary<Koid, Owner> _tries = new();

    /// <summary>How many activations stand in the table.</summary>
    internal int Count => _table.Count;

    /// <summary>Whether an activation on this silo owns the VMO or asks for it.</summary>
    internal bool Knows(Koid vmo) => _table.ContainsKey(vmo);

    /// <inheritdoc/>
    public async ValueTask<Acquisition> AcquireAsync(Koid vmo, IOwningActivation activation, CancellationToken cancellation)
    {
        var (condition, mine) = (sessions.Condition, session.Id);
        if (condition.Refusal is { } refusal)
        {
            throw new StoreException(VmoStatus.Io, refusal);
        }

        if (mine == 0 || !session.IsValid(mine))
        {
            return condition.IsReachable
                ? Wait(NoSessionHintMs)
                : throw new StoreException(VmoStatus.Io, "the store does not answer, or takes no writes, and this silo's lease is over until it does");
        }

        var entry = await EnterAsync(vmo, activation, mine).ConfigureAwait(false);
        if (entry is null)
        {
            return Wait(LetterHintMs);
        }

        var acquired = false;
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            // A letter for this VMO waits until it is decided, and the silo's lease with it: rather come again than hold it up.
            bounded.CancelAfter(AcquireBound);
            var answer = await TakeAsync(vmo, entry, mine, bounded.Token).ConfigureAwait(false);
            acquired = answer.Kind == AcquireKind.Acquired;
            return answer;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            Told("wait");
            return Wait(LetterHintMs);
        }
        finally
        {
            if (!acquired)
            {
                Remove(vmo, entry);
            }
        }
    }

    /// <inheritdoc/>
    public Owner? EnterNew(Koid vmo, IOwningActivation activation)
    {
        var mine = session.Id;
        if (mine == 0 || !session.IsValid(mine))
        {
            return null;
        }

        // The owner stands in the entry before the table shows it, so a letter or a lost session finds it; the check after that finds a
        // session that was lost in between.
        var owner = Nonces.After(default, mine);
        var entry = new OwnershipEntry(activation);
        entry.Own(owner);
        // A creation repeated by the same activation stands in its own place; another activation's place is not for taking here.
        var standing = _table.GetOrAdd(vmo, entry);
        if (!ReferenceEquals(standing, entry)
            && (!ReferenceEquals(standing.Activation, activation) || !_table.TryUpdate(vmo, entry, standing)))
        {
            return null;
        }

        if (!session.IsValid(mine))
        {
            Remove(vmo, entry);
            return null;
        }

        return owner;
    }

    /// <inheritdoc/>
    public async ValueTask LeaveAsync(Koid vmo, Owner owner, IOwningActivation activation, uint? leftBy)
    {
        if (_table.TryGetValue(vmo, out var entry) && ReferenceEquals(entry.Activation, activation))
        {
            Remove(vmo, entry);
        }

        // A dead session's VMOs are free for all; the store would only be asked in vain.
        if (leftBy is not { } left || !session.IsValid(owner.Session))
        {
            return;
        }

        try
        {
            await pages.ReleaseAsync(vmo, owner, left, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception failure) // Never throws: what is not released is taken from this session all the same, here at once, elsewhere by letter.
        {
            LogNotReleased(vmo, failure.Message);
        }
    }

    /// <summary>Hands over all that this silo owns, so many at once.</summary>
    public async Task HandOverAsync(int atOnce, CancellationToken cancellation) => await Parallel.ForEachAsync(
        _table.Where(pair => !pair.Value.Owner.IsReleased),
        new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellation },
        async (pair, _) =>
        {
            try
            {
                await pair.Value.Activation.HandOverAsync("the silo leaves").WaitAsync(HandOverBound, time, cancellation).ConfigureAwait(false);
            }
            catch (Exception failure) when (!cancellation.IsCancellationRequested) // It goes with the silo's end.
            {
                LogHandOverFailed(pair.Key, pair.Value.Owner.Session, failure.Message);
            }
        }).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task DoAsync(Letter letter)
    {
        // Retire: maps of a layer that was merged away are found out by its missing blobs; there is nothing to do for it.
        if (letter.Kind != LetterKind.GiveUp)
        {
            return;
        }

        if (_table.TryGetValue(letter.Vmo, out var entry))
        {
            await entry.Decided.ConfigureAwait(false);
            if (!entry.Owner.IsReleased)
            {
                await entry.GiveUpAsync("another silo asked for the VMO").ConfigureAwait(false);
            }
        }

        await FinishWritesAsync(letter.Vmo).ConfigureAwait(false);
    }

    // Whoever takes it next unlinks what could have been written, once. Not at the price of the session: what comes after that costs some pages until a scrub.
    private async Task FinishWritesAsync(Koid vmo)
    {
        try
        {
            await pages.FinishWritesAsync(vmo, CancellationToken.None).AsTask().WaitAsync(FinishBound, time).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            LogNotFinished(vmo, failure.Message);
        }
    }

    /// <inheritdoc/>
    public void Lose(ulong lost, string reason)
    {
        foreach (var (vmo, tried) in _tries)
        {
            if (tried.Session == lost)
            {
                _tries.TryRemove(new(vmo, tried));
            }
        }

        foreach (var (vmo, entry) in _table)
        {
            if (entry.Owner.Session == lost)
            {
                _ = TellAsync(vmo, entry, reason);
            }
        }
    }

    private static Acquisition Wait(int hintMs) => new(AcquireKind.Wait, RetryAfterMs: hintMs);

    private static void Told(string outcome) => HostingTelemetry.Takeovers.Add(1, new KeyValuePair<string, object?>("vmo.outcome", outcome));

    private async Task TellAsync(Koid vmo, OwnershipEntry entry, string reason)
    {
        try
        {
            await entry.GiveUpAsync(reason).ConfigureAwait(false);
        }
        catch (Exception failure) // Its lease is over, so it can answer nothing; that it could not be told is worth a line.
        {
            LogNotTold(vmo, failure);
        }
    }

    /// <summary>Puts the activation into the table, in place of one that stands there and gives up. Null: that one does not give up in time.</summary>
    private async Task<OwnershipEntry?> EnterAsync(Koid vmo, IOwningActivation activation, ulong mine)
    {
        var entry = new OwnershipEntry(activation);
        while (!_table.TryAdd(vmo, entry))
        {
            if (!_table.TryGetValue(vmo, out var other))
            {
                continue;
            }

            // An activation that asks anew after it was told to wait, or after its session was lost, stands for itself.
            if (!ReferenceEquals(other.Activation, activation))
            {
                try
                {
                    await other.Decided.WaitAsync(HandOverBound, time).ConfigureAwait(false);
                    if (!other.Owner.IsReleased)
                    {
                        await other.GiveUpAsync("a newer activation on this silo took over").WaitAsync(HandOverBound, time).ConfigureAwait(false);
                    }
                }
                catch (Exception failure) // Late or faulty: as long as it has not given up, nobody else on this silo may own the VMO.
                {
                    LogHandOverFailed(vmo, mine, failure.Message);
                    return null;
                }
            }

            if (_table.TryUpdate(vmo, entry, other))
            {
                return entry;
            }
        }

        return entry;
    }

    private async Task<Acquisition> TakeAsync(Koid vmo, OwnershipEntry entry, ulong mine, CancellationToken cancellation)
    {
        for (var races = 0; races < RacesMax; races++)
        {
            var load = await pages.LoadRecordAsync(vmo, cancellation).ConfigureAwait(false);
            if (load.Existence != Existence.Exists || load.Hash is not { } hash)
            {
                // What was read under a session that is over may have been read in a past that the store has lost.
                if (!session.IsValid(mine))
                {
                    return Wait(NoSessionHintMs);
                }

                return new(load.Existence == Existence.Tombstone ? AcquireKind.Tombstone : AcquireKind.Nothing, Record: load.Hash);
            }

            var found = hash.Owner;
            var way = await WayToAsync(vmo, found, mine, cancellation).ConfigureAwait(false);
            if (way is null)
            {
                Told("wait");
                return Wait(LetterHintMs);
            }

            // The activation before may have ended without settling what it had sent.
            if (way == "own")
            {
                await pages.FinishWritesAsync(vmo, cancellation).ConfigureAwait(false);
            }

            var isTried = _tries.TryRemove(vmo, out var tried) && tried == found;
            var leftBy = isTried ? 0 : found.Nonce;
            var next = Nonces.After(found, mine);
            _tries[vmo] = next;
            if (!(await pages.TakeOverAsync(vmo, found, next, leftBy, cancellation).ConfigureAwait(false)).Taken)
            {
                _tries.TryRemove(new(vmo, next));
                continue;
            }

            // Loaded again: the owner before may have committed until the very moment of the take-over.
            var record = (await pages.LoadRecordAsync(vmo, cancellation).ConfigureAwait(false)).Hash;
            if (record is null || record.Owner != next)
            {
                continue;
            }

            // First the entry says whose it is, then the lease is asked: a session lost between is found by one of the two.
            entry.Own(next);
            if (!session.IsValid(mine))
            {
                Told("wait");
                return Wait(NoSessionHintMs);
            }

            _letters.Forget(vmo);
            _tries.TryRemove(new(vmo, next));
            Told(way);
            return new(AcquireKind.Acquired, next, found, record);
        }

        Told("raced");
        return Wait(LetterHintMs);
    }

    /// <summary>Why the VMO may be taken from the owner found; null: not yet.</summary>
    private async Task<string?> WayToAsync(Koid vmo, Owner found, ulong mine, CancellationToken cancellation)
    {
        if (found.IsReleased)
        {
            return "released";
        }

        // Of this silo's own activations none but the one that asks can act: whoever stood in the table has given up or left.
        if (found.Session == mine)
        {
            return "own";
        }

        var state = await states.ReadAsync(found.Session, cancellation).ConfigureAwait(false);
        if (SessionStates.IsGone(state))
        {
            return "dead";
        }

        if (_letters.Find(vmo, found) is { } number)
        {
            return state.AckedLetter >= number ? "given-up" : null;
        }

        var sent = await sessions.SendLetterAsync(found.Session, LetterKind.GiveUp, vmo, "", cancellation).ConfigureAwait(false);
        if (sent == 0)
        {
            return "dead";
        }

        _letters.Note(vmo, found, sent);
        LogAsked(vmo, found.Session, sent);
        return null;
    }

    private void Remove(Koid vmo, OwnershipEntry entry)
    {
        _table.TryRemove(new(vmo, entry));
        entry.Leave();
    }

    [LoggerMessage(LogLevel.Debug, "VMO {Koid}: session {Session:x} was asked to give it up, letter {Number}.")]
    private partial void LogAsked(Koid koid, ulong session, ulong number);

    [LoggerMessage(LogLevel.Debug, "VMO {Koid} could not be released. {Message}")]
    private partial void LogNotReleased(Koid koid, string message);

    [LoggerMessage(LogLevel.Warning, "VMO {Koid} is given up, and whether all that was sent for it has arrived is not known. {Message}")]
    private partial void LogNotFinished(Koid koid, string message);

    [LoggerMessage(LogLevel.Warning, "VMO {Koid}: the activation before this one, session {Session:x}, has not given it up. {Message}")]
    private partial void LogHandOverFailed(Koid koid, ulong session, string message);

    [LoggerMessage(LogLevel.Error, "VMO {Koid}: its activation could not be told that the session is over.")]
    private partial void LogNotTold(Koid koid, Exception failure);
}
