using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting.Ownership;

/// <summary>
/// Wakes a VMO's grain, which takes up whatever its record says is unfinished. True: that is done, or noted under the session that owns the
/// VMO now. False: the VMO could not be opened, or goes by another lineage of the store; try again.
/// </summary>
public delegate Task<bool> WakeVmo(Koid vmo, long lineage, CancellationToken cancellation);

/// <summary>
/// Inherits unfinished work: VMOs that a dead session noted (dying, intents), and newborns that nobody has come for, are woken, and struck off the list when their grain
/// has answered; a few at a time, so that one that does not answer holds up nobody. Of all silos that one inherits whose session has the lowest id; when two think so for a while, a VMO is woken twice, which
/// does no harm. Work noted under this silo's own session whose activation ended is woken, too; the activation strikes it off itself.
/// </summary>
internal sealed partial class EstateHeir(
    ISessionStore store, SiloSession session, SiloOwnership ownership, WakeVmo wake, TimeProvider time, ILogger<EstateHeir> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    // At most 50 a second: large deletions must not crowd out the living.
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    private const int WakesMost = 8;

    // Whoever takes longer is on a silo that is cut off, or being declared dead: the next round asks again.
    private static readonly TimeSpan WakeWithin = TimeSpan.FromSeconds(5);

    // Own work is looked at this seldom: its activation is nearly always still at it.
    private const int OwnEvery = 15;

    private int _round;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(Period, time, stoppingToken);
                await InheritAsync(stoppingToken);
            }
            catch (StoreException failure)
            {
                LogUnanswered(failure.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>One round over all estates.</summary>
    internal async Task InheritAsync(CancellationToken cancellation)
    {
        var mine = session.Id;
        if (session.LineageOf(mine) is not { } lineage)
        {
            return;
        }

        if (_round++ % OwnEvery == 0)
        {
            await WakeAllAsync(mine, (await store.ReadUnfinishedAsync(mine, cancellation)).Where(vmo => !ownership.Knows(vmo)), isDead: false, lineage, cancellation);
        }

        var estates = await store.ReadEstatesAsync(cancellation);
        if (estates.Count == 0 || (await store.ReadSessionsAsync(cancellation)).Keys.Any(id => id < mine))
        {
            return;
        }

        foreach (var dead in estates)
        {
            await WakeAllAsync(dead, await store.ReadUnfinishedAsync(dead, cancellation), isDead: true, lineage, cancellation);
        }
    }

    private async Task WakeAllAsync(ulong estate, IEnumerable<Koid> vmos, bool isDead, long lineage, CancellationToken cancellation)
    {
        using var room = new SemaphoreSlim(WakesMost);
        var waking = new List<Task>();
        try
        {
            foreach (var vmo in vmos)
            {
                await Task.Delay(Pace, time, cancellation);
                await room.WaitAsync(cancellation);
                waking.Add(OneAsync(vmo));
            }
        }
        finally
        {
            await Task.WhenAll(waking);
        }

        async Task OneAsync(Koid vmo)
        {
            try
            {
                // Struck off in the store in which it was found, or not at all: with the silo's session go what it has read and been told.
                if (await WakeAsync(estate, vmo, lineage, cancellation) && isDead && session.LineageOf(session.Id) == lineage)
                {
                    await store.ClearUnfinishedAsync(estate, vmo, cancellation);
                }
            }
            finally
            {
                room.Release();
            }
        }
    }

    private async Task<bool> WakeAsync(ulong estate, Koid vmo, long lineage, CancellationToken cancellation)
    {
        try
        {
            var isWoken = await wake(vmo, lineage, cancellation).WaitAsync(WakeWithin, time, cancellation);
            HostingTelemetry.Inherited.Add(1, new KeyValuePair<string, object?>("vmo.outcome", isWoken ? "woken" : "failed"));
            return isWoken;
        }
        catch (Exception failure) when (!cancellation.IsCancellationRequested)
        {
            // One VMO that cannot be woken must not keep the others waiting; it stays on the list and is tried again.
            HostingTelemetry.Inherited.Add(1, new KeyValuePair<string, object?>("vmo.outcome", "failed"));
            LogNotWoken(vmo, estate, failure.Message);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Warning, "VMO {Koid} of session {Session:x} could not be woken and is tried again. {Message}")]
    private partial void LogNotWoken(Koid koid, ulong session, string message);

    [LoggerMessage(LogLevel.Debug, "The estates could not be read. {Message}")]
    private partial void LogUnanswered(string message);
}
