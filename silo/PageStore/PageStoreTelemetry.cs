using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace VmoCluster.PageStore;

/// <summary>The store's spans and metrics. One span and one duration a logical operation, however many commands it is.</summary>
internal static class PageStoreTelemetry
{
    private static readonly Histogram<double> Duration = Telemetry.Meter.CreateHistogram(
        "vmo.store.duration", "s", "Time of one operation of the store, all its commands together.",
        advice: new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
        });

    private static readonly Counter<long> Bytes = Telemetry.Meter.CreateCounter<long>(
        "vmo.store.bytes", "By", "Bytes of blobs sent to and read from the store.");

    private static readonly Counter<long> EndedConnections = Telemetry.Meter.CreateCounter<long>(
        "vmo.store.connections.ended", "{connection}", "Connections to the store ended there, so that what a lost or dead silo sent does not arrive late.");

    private static readonly KeyValuePair<string, object?> Written = new("vmo.direction", "write");
    private static readonly KeyValuePair<string, object?> Read = new("vmo.direction", "read");

    public static void AddWritten(long bytes) => Bytes.Add(bytes, Written);

    public static void AddRead(long bytes) => Bytes.Add(bytes, Read);

    public static void AddEndedConnection() => EndedConnections.Add(1);

    /// <summary>Begins an operation; end it once.</summary>
    /// <param name="operation">From a small fixed set.</param>
    /// <param name="batch">How many commands or items it carries.</param>
    public static StoreOperation Begin(string operation, int batch, TimeProvider time)
    {
        var activity = Telemetry.Source.StartActivity("vmo.store/" + operation, ActivityKind.Client, default(ActivityContext), Tags(operation, batch));
        return new(operation, activity, time.GetTimestamp(), time);
    }

    private static KeyValuePair<string, object?>[]? Tags(string operation, int batch)
    {
        if (!Telemetry.Source.HasListeners())
            return null;
        return batch > 1
            ? [new("db.system.name", "redis"), new("db.operation.name", operation), new("db.operation.batch.size", batch)]
            : [new("db.system.name", "redis"), new("db.operation.name", operation)];
    }

    internal readonly struct StoreOperation(string operation, Activity? activity, long started, TimeProvider time)
    {
        public void End(string? error = null)
        {
            var seconds = time.GetElapsedTime(started).TotalSeconds;
            if (error is null)
            {
                Duration.Record(seconds, new KeyValuePair<string, object?>("vmo.store.operation", operation));
            }
            else
            {
                Duration.Record(
                    seconds, new KeyValuePair<string, object?>("vmo.store.operation", operation), new KeyValuePair<string, object?>("error.type", error));
                activity?.SetTag("error.type", error);
                activity?.SetStatus(ActivityStatusCode.Error);
            }

            activity?.Dispose();
        }
    }
}
