using System.Diagnostics;
using System.Diagnostics.Metrics;
using VmoCluster.Core.Live;
using VmoCluster.Core.Machine;
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

    private static readonly Histogram<double> RecallDuration = Telemetry.Meter.CreateHistogram<double>(
        "vmo.recall.duration", "s", "Time to take back from all silos what they may show of a VMO, before it changes that.",
        advice: new() { HistogramBucketBoundaries = [0.00001, 0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15] });

    private static readonly Counter<long> BlobsUnlinked = Telemetry.Meter.CreateCounter<long>("vmo.blobs.unlinked", "{blob}", "Blobs freed because no slot names them.");

    private static readonly Counter<long> InvariantsBroken = Telemetry.Meter.CreateCounter<long>("vmo.invariants.broken", "{failure}", "Beliefs of ours that turned out false; the activation was ended. Each is a bug.");

    private readonly Meter _meter = new(Telemetry.Name);
    private long _activations;
    private long _queued;

    public GrainTelemetry(PageCache cache, MapBudget maps, HeldGrants grants, CallBudget calls, StoreRooms rooms)
    {
        _meter.CreateObservableUpDownCounter("vmo.activations", () => Volatile.Read(ref _activations), "{vmo}", "VMOs in memory on this silo.");
        _meter.CreateObservableUpDownCounter("vmo.calls.queued", () => Volatile.Read(ref _queued), "{call}", "Changes waiting in the queues of this silo's VMOs.");
        _meter.CreateObservableUpDownCounter("vmo.calls.underway", () => calls.Calls, "{call}", "Calls under way at this silo's VMOs, but for waits and what memory answers at once.");
        _meter.CreateObservableUpDownCounter("vmo.calls.bytes", () => calls.Bytes, "By", "Bytes of pages of these calls.");
        _meter.CreateObservableCounter("vmo.calls.refused", () => calls.Refused, "{call}", "Calls told to wait because this silo's VMOs had too many, or too many bytes of them.");
        _meter.CreateObservableUpDownCounter("vmo.store.underway", () => rooms.Commits.Inside + rooms.Reads.Inside, "{request}", "Changes and reads on their way to the store.");
        _meter.CreateObservableUpDownCounter("vmo.store.waiting", () => rooms.Commits.Waiting + rooms.Reads.Waiting, "{request}", "Changes and reads that wait in this silo because so much is on its way to the store.");
        _meter.CreateObservableCounter("vmo.cache.hits", () => cache.Hits, "{page}", "Pages found in memory.");
        _meter.CreateObservableCounter("vmo.cache.misses", () => cache.Misses, "{page}", "Pages looked for in memory and not found.");
        _meter.CreateObservableUpDownCounter("vmo.cache.bytes", () => cache.Bytes, "By", "Bytes of pages in memory.");
        _meter.CreateObservableUpDownCounter("vmo.map.bytes", () => maps.Held, "By", "Bytes of slot maps in memory.");
        _meter.CreateObservableUpDownCounter("vmo.grant.bytes", () => grants.Bytes, "By", "Bytes of what this silo may show of live parents.");
        _meter.CreateObservableCounter("vmo.grants.trimmed", () => grants.Trimmed, "{grant}", "Grants this silo gave up to keep within their bytes; they are asked for again.");
    }

    /// <summary>VMOs in memory.</summary>
    public long Active => Volatile.Read(ref _activations);

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
        activity?.SetTag("vmo.koid", (long)koid.Value);
        return activity;
    }

    /// <summary>A call has been answered in the turn it came in.</summary>
    public static void CalledAtOnce(string call, Koid koid, VmoStatus status, long started)
    {
        using var activity = Start(call, koid);
        activity?.SetStartTime(DateTime.UtcNow - Stopwatch.GetElapsedTime(started)).SetTag("vmo.status", status.ToZxName());
        Called(call, status, started);
    }

    /// <summary>A call has been answered.</summary>
    public static void Called(string call, VmoStatus status, long started)
    {
        if (CallDuration.Enabled)
            CallDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("vmo.call", call), new("vmo.status", status.ToZxName()));
    }

    /// <summary>
    /// A span for a commit; null when nobody listens. A commit carries the changes of many calls and begins in whatever turn the one before
    /// has ended: its span belongs to the first call that is traced, and links to the others.
    /// </summary>
    public static Activity? StartCommit(StoreCommit commit, IEnumerable<Ticket> waiting)
    {
        Activity.Current = null;
        if (!Telemetry.Source.HasListeners())
            return null;
        ActivityContext parent = default;
        List<ActivityLink>? links = null;
        foreach (var call in waiting.Select(ticket => ((PendingReply)ticket).Span).Distinct())
        {
            if (!call.TraceFlags.HasFlag(ActivityTraceFlags.Recorded))
                continue;
            if (parent == default)
                parent = call;
            else
                (links ??= []).Add(new(call));
        }

        var activity = Telemetry.Source.StartActivity("vmo.commit", ActivityKind.Internal, parent, tags: null, links);
        return activity?.SetTag("vmo.koid", (long)commit.Vmo.Value).SetTag("vmo.target", NameOf(commit.Target))
            .SetTag("vmo.fields", commit.Fields.Count).SetTag("vmo.blobs", commit.Blobs.Count);
    }

    /// <summary>A commit has come to an outcome.</summary>
    public static void Committed(StoreCommit commit, CommitOutcome outcome, long started)
    {
        if (CommitDuration.Enabled)
            CommitDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("vmo.outcome", NameOf(outcome)), new("vmo.target", NameOf(commit.Target)));
        if (outcome == CommitOutcome.Applied && commit.Blobs.Count > 0)
            CommitPages.Add(commit.Blobs.Sum(blob => (long)(blob.Bytes.Sum(piece => (long)piece.Length) / Limits.PageBytes)));
    }

    /// <summary>An outcome's name in metrics and spans.</summary>
    public static string NameOf(CommitOutcome outcome) => outcome switch
    {
        CommitOutcome.Applied => "applied",
        CommitOutcome.Fenced => "fenced",
        CommitOutcome.Stale => "stale",
        CommitOutcome.BlobMissing => "blob-missing",
        CommitOutcome.Full => "full",
        CommitOutcome.Refused => "refused",
        _ => "unknown",
    };

    /// <summary>A target's name in metrics and spans.</summary>
    public static string NameOf(CommitTarget target) => target == CommitTarget.Record ? "record" : "layer";

    /// <summary>What other silos hold of a VMO was taken back, or could not be from all.</summary>
    public static void Recalled(Outcome outcome, long started) =>
        RecallDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new KeyValuePair<string, object?>("vmo.status", outcome.Status.ToZxName()));

    /// <summary>Blobs were freed.</summary>
    public static void Unlinked(long blobs) => BlobsUnlinked.Add(blobs);

    /// <summary>A belief was broken.</summary>
    public static void Broken() => InvariantsBroken.Add(1);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
