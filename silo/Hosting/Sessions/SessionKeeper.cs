using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Sessions;

/// <summary>
/// Keeps this silo's session: opens it, renews it every second, does its letters, and closes it when the silo leaves.
/// <para>
/// The proof the cluster rests on. A renewal moves the counter in the store at an instant T after it was sent, and the lease runs 4 s from
/// before it was sent: it ends before T + 4 s. Who marks this session dead has seen the counter unmoved for 4.25 s of its own clock from a
/// moment after T, and its compare-and-set finds it unmoved still: after T + 4 s by any clock. So whoever finds the session dead finds its lease over, and the
/// last answer made under it lies before. A letter is acknowledged by the renewal after the deed, and the lease grows only when the deed is
/// done: a silo that cannot give a VMO up loses its session instead.
/// </para>
/// <para>
/// A lease that ran out is not a lost session: nothing is answered while it is over, but as long as the store says the session is alive,
/// nobody has taken anything of it, and the next renewal lets it go on (decisions/0001).
/// </para>
/// <para>
/// A session also ends with the primary it was held at: after a failover or a restart of the store, what this silo has in memory may be what the
/// store has lost. It lets all of it go: its VMOs by losing its session, each loaded anew at its next call, and whatever they share (decisions/0005).
/// </para>
/// </summary>
internal sealed partial class SessionKeeper(
    ISessionStore store, SiloSession session, ILetterDuty duty, IStoreHoldings holdings, SessionKeeperOptions options, TimeProvider time, ILogger<SessionKeeper> logger)
    : IHostedService, IDisposable
{
    private static readonly TimeSpan Renew = TimeSpan.FromMilliseconds(Limits.SessionRenewMs);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(200);

    // Letters are stuck when they take this long. With a renewal's own second it is still within the lease.
    private static readonly TimeSpan LetterBound = TimeSpan.FromMilliseconds(Limits.SessionLeaseMs - (2 * Limits.SessionRenewMs));

    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    // The session in the store; 0 while there is none to renew. Only the loop touches these.
    private ulong _id;
    private ulong _counter;
    private ulong _acked;

    // The store's lineage before the session was opened, and whether the store was found set back since.
    private long _lineage;
    private bool _isSetBack;

    // Told once, until the next answer.
    private bool _isToldUnanswered;

    // Set when a renewal was not answered: the counter may have moved or not.
    private bool _isUnsure;

    // The counter that was answered last before another primary was found; null: nothing to compare. What the new one has of it tells how much it has lost.
    private ulong? _toCompare;

    // A session this silo ended by itself and has not yet marked dead. Until it is, its VMOs wait for the watchers.
    private ulong _toBury;

    /// <summary>Opens the first session. Throws <see cref="StoreException"/>: the silo does not start without one.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.IsStoreOurs)
        {
            // The folder's lock says that no other process can have this store: every session in it is of a process that is gone.
            foreach (var (id, state) in await store.ReadSessionsAsync(cancellationToken))
            {
                await store.MarkDeadAsync(id, state.Counter, cancellationToken);
                LogPredecessorDead(id);
            }
        }

        await OpenAsync(cancellationToken);
        _loop = Task.Run(LoopAsync, CancellationToken.None);
    }

    /// <summary>Ends the lease, then marks the session dead, so that others need not wait it out. All activations have left before.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _loop.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_id != 0)
        {
            LogClosing(_id);
            await LoseAsync("this silo leaves");
            if (_toBury != 0)
            {
                LogNotClosed(_toBury);
            }
        }
    }

    public void Dispose() => _stopping.Dispose();

    /// <summary>One round: a renewal with its letters, or whatever stands before it. Returns how long to rest.</summary>
    internal async Task<TimeSpan> TurnAsync(CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var condition = store.Condition;
        if (condition.Refusal is not null)
        {
            // Nothing is answered, and nothing said in this store. The session may live on in ours: its next renewal there will tell.
            session.Suspend();
            _isUnsure = _id != 0;
            return Renew;
        }

        try
        {
            if (_id != 0 && condition.Lineage != _lineage)
            {
                HostingTelemetry.HistoriesChanged.Add(1);
                _toCompare = _counter;
                await LoseAsync("another primary answers, or the same restarted: all VMOs are taken anew");
            }

            if (_toBury != 0)
            {
                await BuryAsync(cancellation);
            }

            if (_id == 0)
            {
                await OpenAsync(cancellation);
                _isToldUnanswered = false;
                return Renew;
            }

            if (_isUnsure && !await ResyncAsync(cancellation))
            {
                return TimeSpan.Zero;
            }

            var isDone = await RenewAsync(cancellation);
            _isToldUnanswered = false;
            return isDone ? Max(Renew - time.GetElapsedTime(begun), TimeSpan.Zero) : TimeSpan.Zero;
        }
        catch (StoreException failure)
        {
            _isUnsure = _id != 0;
            HostingTelemetry.Renewals.Add(1, new KeyValuePair<string, object?>("vmo.outcome", "unanswered"));
            if (!_isToldUnanswered)
            {
                LogUnanswered(session.Left.TotalSeconds, failure.Message);
            }

            _isToldUnanswered = true;
            return Again;
        }
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private async Task LoopAsync()
    {
        // Its own copy: where the silo cannot wait for the loop, what it came from is disposed before the loop ends.
        var (rest, moved, stopping) = (Renew, store.ConditionMoved, _stopping.Token);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await Task.WhenAny(Task.Delay(rest, time, stopping), moved);
                stopping.ThrowIfCancellationRequested();

                // Asked for before the condition is read, so that no move is missed.
                moved = store.ConditionMoved;
                rest = await TurnAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure) // The edge of the loop: a silo whose keeper ends would serve on until its lease does and never again.
            {
                LogBroken(failure);
                rest = Again;
            }
        }
    }

    private async Task OpenAsync(CancellationToken cancellation)
    {
        // Random, so that no two are ever the same and nobody need ask the store for one. 0 stands for no session.
        var id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1;
        var (sentAt, lineage) = (time.GetTimestamp(), store.Condition.Lineage);

        if (_isSetBack || lineage != _lineage)
        {
            holdings.Forget();
            (_isSetBack, _lineage) = (false, lineage);
        }

        // When this is not answered, the id may stand in the store; nobody uses it, and the watchers mark it dead in time.
        await store.OpenSessionAsync(id, options.Description, cancellation);
        (_id, _counter, _acked, _isUnsure) = (id, 1, 0, false);
        session.Begin(id, sentAt, lineage);
        store.Adopt(lineage);
        LogOpened(id);
    }

    /// <summary>False: go round again at once.</summary>
    private async Task<bool> RenewAsync(CancellationToken cancellation)
    {
        var sentAt = time.GetTimestamp();
        var renewal = await store.RenewAsync(_id, _counter, _acked, cancellation);
        if (!renewal.IsAlive)
        {
            // Marked dead, or a renewal that was given up for lost has arrived after all and moved the counter.
            return await ResyncAsync(cancellation);
        }

        _counter++;
        if (renewal.Letters.Count > 0 && !await DoAsync(renewal.Letters))
        {
            await LoseAsync("a letter could not be done in time");
            return false;
        }

        session.Extend(sentAt);
        HostingTelemetry.Renewals.Add(1, new KeyValuePair<string, object?>("vmo.outcome", "renewed"));

        // Letters are acknowledged at once: somebody waits for them.
        return renewal.Letters.Count == 0;
    }

    /// <summary>Learns the counter from the store. False: the session is dead, and lost.</summary>
    private async Task<bool> ResyncAsync(CancellationToken cancellation)
    {
        var state = await store.ReadSessionAsync(_id, cancellation);
        if (SessionStates.IsGone(state))
        {
            HostingTelemetry.Renewals.Add(1, new KeyValuePair<string, object?>("vmo.outcome", "lost"));
            await LoseAsync(state.Exists ? "others marked it dead" : "the store does not know it");
            return false;
        }

        if (state.Counter < _counter)
        {
            // Only forward, and never behind an answer: the store has lost renewals, and with them whatever else it did in that time.
            _isSetBack = true;
            TellSetBack(_counter - state.Counter);
            await LoseAsync("the store was set back: all VMOs are taken anew");
            return false;
        }

        // Only this silo moves this counter. A renewal still on its way carries an older one and can no longer match.
        (_counter, _isUnsure) = (state.Counter, false);
        return true;
    }

    private void TellSetBack(ulong renewals)
    {
        var lost = TimeSpan.FromMilliseconds((double)renewals * Limits.SessionRenewMs);
        HostingTelemetry.SetBack(lost);
        LogSetBack(lost.TotalSeconds);
    }

    private async Task<bool> DoAsync(IReadOnlyList<Letter> letters)
    {
        try
        {
            await Task.WhenAll(letters.Select(duty.DoAsync)).WaitAsync(LetterBound, time);
        }
        catch (Exception failure) // Whatever it was: the deed is not done, and only losing the session makes that harmless.
        {
            LogLetterFailed(letters.Count, failure);
            return false;
        }

        foreach (var letter in letters)
        {
            HostingTelemetry.Letters.Add(1, new KeyValuePair<string, object?>("vmo.letter", letter.Kind switch
            {
                LetterKind.GiveUp => "give-up",
                LetterKind.Drop => "drop",
                _ => "retire",
            }));
        }

        _acked = letters[^1].Number;
        return true;
    }

    /// <summary>Ends the lease first; only then may anyone be told that the session is dead.</summary>
    private async Task LoseAsync(string reason)
    {
        session.End();
        var lost = _id;
        (_id, _toBury) = (0, lost);
        if (!_stopping.IsCancellationRequested)
        {
            LogLost(lost, reason);
        }

        duty.Lose(lost, reason);
        try
        {
            await BuryAsync(CancellationToken.None);
        }
        catch (StoreException failure)
        {
            LogUnanswered(0, failure.Message);
        }
    }

    private async Task BuryAsync(CancellationToken cancellation)
    {
        var state = await store.ReadSessionAsync(_toBury, cancellation);
        if (_toCompare is { } answered)
        {
            // Not there at all, it may also be long dead and forgotten.
            if (state.Exists && state.Counter < answered)
            {
                TellSetBack(answered - state.Counter);
            }

            _toCompare = null;
        }

        if (SessionStates.IsGone(state) || await store.MarkDeadAsync(_toBury, state.Counter, cancellation))
        {
            _toBury = 0;
        }
    }

    [LoggerMessage(LogLevel.Information, "Session {Session:x} is open.")]
    private partial void LogOpened(ulong session);

    [LoggerMessage(LogLevel.Information, "Session {Session:x} of an earlier process on this data folder is dead.")]
    private partial void LogPredecessorDead(ulong session);

    [LoggerMessage(LogLevel.Information, "This silo leaves; its session {Session:x} is closed.")]
    private partial void LogClosing(ulong session);

    [LoggerMessage(LogLevel.Warning, "Session {Session:x} is over: {Reason}.")]
    private partial void LogLost(ulong session, string reason);

    [LoggerMessage(LogLevel.Warning, "The store did not answer for the session; {Left:F1} s of the lease are left. {Message}")]
    private partial void LogUnanswered(double left, string message);

    [LoggerMessage(LogLevel.Warning, "The store has lost about {Seconds:F0} s of its past: what was acknowledged in that time may be gone.")]
    private partial void LogSetBack(double seconds);

    [LoggerMessage(LogLevel.Error, "{Count} letters were not done. The session is given up instead.")]
    private partial void LogLetterFailed(int count, Exception failure);

    [LoggerMessage(LogLevel.Warning, "Session {Session:x} could not be marked dead; other silos wait until they have seen it unmoved for lease and margin.")]
    private partial void LogNotClosed(ulong session);

    [LoggerMessage(LogLevel.Critical, "The session's keeper met a failure it does not know.")]
    private partial void LogBroken(Exception failure);
}

/// <summary>What a keeper must know of its silo.</summary>
/// <param name="Description">For people who look into the store: silo's name, host, process.</param>
/// <param name="IsStoreOurs">No other process can use this store while this one lives (the embedded store's folder lock).</param>
internal sealed record SessionKeeperOptions(string Description, bool IsStoreOurs);
