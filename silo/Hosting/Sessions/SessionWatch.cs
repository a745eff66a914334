using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Sessions;

/// <summary>
/// Watches the other silos' sessions and marks those dead whose counter stood still for lease and margin, by compare-and-set on the counter
/// seen. What this silo missed while it stood still itself does no harm: the compare finds a counter that moved.
/// </summary>
internal sealed partial class SessionWatch(ISessionStore store, SiloSession session, ServingSilos serving, TimeProvider time, ILogger<SessionWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(Limits.SessionLookMs);
    private static readonly TimeSpan Still = TimeSpan.FromMilliseconds(Limits.SessionLeaseMs + Limits.SessionMarginMs);

    // Longer than a renewal may take, and shorter than anybody waits for the session's death.
    private static readonly TimeSpan Moving = TimeSpan.FromMilliseconds(Limits.SessionRenewMs * 5 / 2);

    // No more than this of the time between two looks is held against a session: in the rest the store stood still perhaps, or this silo.
    private static readonly TimeSpan Seeing = TimeSpan.FromMilliseconds(Limits.SessionRenewMs);

    private long _looked = time.GetTimestamp();

    // The counter last seen, and this silo's clock after the answer that first showed it. Only the loop touches it.
    private readonly Dictionary<ulong, (ulong Counter, long At)> _seen = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        HostingTelemetry.ShowZeros();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(Period, time, stoppingToken);
                await LookAsync(stoppingToken);
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

    /// <summary>One look at all sessions.</summary>
    internal async Task LookAsync(CancellationToken cancellation)
    {
        var sessions = await store.ReadSessionsAsync(cancellation);
        var now = time.GetTimestamp();
        ForgetBlindTime(now);
        foreach (var gone in _seen.Keys.Where(id => !sessions.ContainsKey(id)).ToList())
        {
            _seen.Remove(gone);
        }

        serving.Saw(sessions
            .Where(pair => !_seen.TryGetValue(pair.Key, out var seen) || seen.Counter != pair.Value.Counter || time.GetElapsedTime(seen.At, now) < Moving)
            .Select(pair => pair.Value.Description));
        foreach (var (id, state) in sessions)
        {
            if (id == session.Id)
            {
                continue;
            }

            if (!_seen.TryGetValue(id, out var seen) || seen.Counter != state.Counter)
            {
                _seen[id] = (state.Counter, now);
            }
            else if (time.GetElapsedTime(seen.At, now) >= Still && await store.MarkDeadAsync(id, seen.Counter, cancellation))
            {
                _seen.Remove(id);
                HostingTelemetry.MarkedDead.Add(1);
                LogMarkedDead(id, Still.TotalSeconds);
            }
        }
    }

    // Otherwise, after the store has stood still for some seconds, silos would find each other dead that are about to renew.
    private void ForgetBlindTime(long now)
    {
        var blind = time.GetElapsedTime(_looked, now) - Seeing;
        _looked = now;
        if (blind <= TimeSpan.Zero)
            return;
        var ticks = (long)(blind.TotalSeconds * time.TimestampFrequency);
        foreach (var (id, seen) in _seen.ToList())
            _seen[id] = seen with { At = seen.At + ticks };
    }

    [LoggerMessage(LogLevel.Warning, "Session {Session:x} has not been renewed for {Seconds} s and is marked dead.")]
    private partial void LogMarkedDead(ulong session, double seconds);

    [LoggerMessage(LogLevel.Debug, "The other sessions could not be read. {Message}")]
    private partial void LogUnanswered(string message);
}
