using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests;

[Collection(RedisCollection.Name)]
public sealed class TelemetryTests(RedisBackend backend)
{
    [Fact]
    public async Task A_commit_is_one_span_and_one_duration()
    {
        // The root makes our spans ours among those of other tests in this process.
        using var root = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if (span.TraceId == root.TraceId)
                    spans.Enqueue(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var durations = new ConcurrentDictionary<string, int>();
        using var meters = new MeterListener
        {
            InstrumentPublished = (instrument, meters) =>
            {
                if (instrument.Meter.Name == Telemetry.Name && instrument.Name == "vmo.store.duration")
                    meters.EnableMeasurementEvents(instrument);
            },
        };
        meters.SetMeasurementEventCallback<double>((_, _, tags, _) => durations.AddOrUpdate((string)tags[0].Value!, 1, (_, count) => count + 1));
        meters.Start();
        await using var store = await StoreBackend.OpenAsync(backend.FreshOptions());
        var (vmo, owner) = (new Koid(1), new Owner(1, 1, 1));
        await store.Pages.CreateAsync(vmo, owner, new(vmo, 1), [new("size"u8.ToArray(), "1"u8.ToArray())], [], isPromised: false, CancellationToken.None);

        await store.Pages.CommitAsync(new()
        {
            Vmo = vmo, Owner = owner, Target = CommitTarget.Layer, Layer = new(vmo, 1), Seq = 1, Fields = [new("size"u8.ToArray(), "2"u8.ToArray())],
            Blobs = [new(new(1, 1), [new byte[10]]), new(new(1, 2), [new byte[10]])],
        });

        var span = Assert.Single(spans, s => s.OperationName == "vmo.store/commit");
        Assert.Equal(ActivityKind.Client, span.Kind);
        Assert.Equal(("redis", "commit", 3), (span.GetTagItem("db.system.name"), span.GetTagItem("db.operation.name"), span.GetTagItem("db.operation.batch.size")));
        Assert.Equal(root.SpanId, span.ParentSpanId);
        Assert.True(durations.ContainsKey("commit") && durations.ContainsKey("create"));
    }
}
