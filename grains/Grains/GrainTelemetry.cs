using System.Diagnostics;
using System.Diagnostics.Metrics;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>What the grains measure (dashboards/TELEMETRY.md).</summary>
public sealed class GrainTelemetry : IDisposable
{
    private static readonly Histogram<double> CallDuration = Telemetry.Meter.CreateHistogram<double>(
        "vmo.call.duration", "s", "Time of a call at its VMO, from arrival to answer.",
        advice: new() { HistogramBucketBoundaries = [0.00001, 0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15] });

    private static readonly Histogram<double> CommitDuration = Telemetry.Meter.CreateHistogram<double>(
        "vmo.commit.duration", "s", "Time of one commit, blobs included, as the VMO sees it.",
        advice: new() { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] });

    private static readonly Counter<long> CommitPages = Telemetry.Meter.CreateCounter<long>("vmo.commit.pages", "{page}", "Pages with bytes in commits that were applied.");

    private static readonly Counter<long> BlobsUnlinked = Telemetry.Meter.CreateCounter<long>("vmo.blobs.unlinked", "{blob}", "Blobs freed because no slot names them.");

    private static readonly Counter<long> InvariantsBroken = Telemetry.Meter.CreateCounter<long>("vmo.invariants.broken", "{invariant}", "Beliefs of the core that turned out false. Each is a bug.");

    private readonly Meter _meter = new(Telemetry.Name);
    private long _activations;
    private long _queued;

    public GrainTelemetry(PageCache cache, MapBudget maps)
    {
        _meter.CreateObservableUpDownCounter("vmo.activations", () => Volatile.Read(ref _activations), "{vmo}", "VMOs in memory on this silo.");
        _meter.CreateObservableUpDownCounter("vmo.calls.queued", () => Volatile.Read(ref _queued), "{call}", "Changes waiting in the queues of this silo's VMOs.");
        _meter.CreateObservableCounter("vmo.cache.hits", () => cache.Hits, "{page}", "Pages found in memory.");
        _meter.CreateObservableCounter("vmo.cache.misses", () => cache.Misses, "{page}", "Pages looked for in memory and not found.");
        _meter.CreateObservableUpDownCounter("vmo.cache.bytes", () => cache.Bytes, "By", "Bytes of pages in memory.");
        _meter.CreateObservableUpDownCounter("vmo.map.bytes", () => maps.Held, "By", "Bytes of slot maps in memory.");
    }

    /// <summary>Counts VMOs in memory.</summary>
    public void Activated(int change) => Interlocked.Add(ref _activations, change);

    /// <summary>Counts changes that wait.</summary>
    public void Queued(int change) => Interlocked.Add(ref _queued, change);

    /// <summary>A span for a call; null when nobody listens.</summary>
    public static Activity? Start(string call, Koid koid)
    {
        if (!Telemetry.Source.HasListeners())
            return null;
        var activity = Telemetry.Source.StartActivity("vmo.grain/" + call);
        activity?.SetTag("vmo.koid", koid.Value);
        return activity;
    }

    /// <summary>A call has been answered.</summary>
    public static void Called(string call, VmoStatus status, long started)
    {
        if (CallDuration.Enabled)
            CallDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("vmo.call", call), new("vmo.status", status.ToZxName()));
    }

    /// <summary>A commit has come to an outcome.</summary>
    public static void Committed(StoreCommit commit, CommitOutcome outcome, long started)
    {
        if (CommitDuration.Enabled)
            CommitDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("vmo.outcome", outcome.ToString()), new("vmo.target", commit.Target.ToString()));
        if (outcome == CommitOutcome.Applied && commit.Blobs.Count > 0)
            CommitPages.Add(commit.Blobs.Sum(blob => (long)(blob.Bytes.Sum(piece => (long)piece.Length) / Limits.PageBytes)));
    }

    /// <summary>Blobs were freed.</summary>
    public static void Unlinked(long blobs) => BlobsUnlinked.Add(blobs);

    /// <summary>A belief was broken.</summary>
    public static void Broken() => InvariantsBroken.Add(1);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
