using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace VmoCluster.Client;

/// <summary>What the client measures. Tags are names of calls and statuses; nothing of a handle.</summary>
internal static class ClientTelemetry
{
    public const string CallDurationName = "vmo.client.call.duration";
    public const string RetriesName = "vmo.client.retries";
    public const string CallTag = "vmo.call";
    public const string StatusTag = "vmo.status";
    public const string KoidTag = "vmo.koid";
    public const string JoinedTag = "vmo.joined";

    private static readonly Histogram<double> CallDuration = Telemetry.Meter.CreateHistogram<double>(
        CallDurationName, "s", "Time of one call of the client, its retries included.",
        advice: new() { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15] });

    private static readonly Counter<long> Retries = Telemetry.Meter.CreateCounter<long>(
        RetriesName, "{retry}", "Attempts after the first, by what the one before ended with.");

    public static void Called(CallKind kind, TimeSpan took, VmoStatus status)
    {
        if (CallDuration.Enabled)
            CallDuration.Record(took.TotalSeconds, new(CallTag, kind.Name), new(StatusTag, NameOf(status)));
    }

    public static void Retried(CallKind kind, VmoStatus status)
    {
        if (Retries.Enabled)
            Retries.Add(1, new(CallTag, kind.Name), new(StatusTag, NameOf(status)));
    }

    // Ok is the hot path's: its name is not built again for each call.
    private static string NameOf(VmoStatus status) => status == VmoStatus.Ok ? "OK" : status.ToZxName();

    public static Activity? Start(CallKind kind, Koid koid)
    {
        var span = Telemetry.Source.StartActivity(kind.SpanName, ActivityKind.Client);
        if (span is { IsAllDataRequested: true } && !koid.IsNone)
            span.SetTag(KoidTag, (long)koid.Value);
        return span;
    }

    public static void End(Activity? span, VmoStatus status)
    {
        if (span is null)
            return;
        if (status != VmoStatus.Ok)
        {
            span.SetTag(StatusTag, status.ToZxName());
            span.SetStatus(ActivityStatusCode.Error);
        }

        span.Dispose();
    }
}
