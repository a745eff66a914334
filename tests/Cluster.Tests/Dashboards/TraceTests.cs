using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using VmoCluster.Client;
using VmoCluster.Cluster.Tests.Dashboards.Otlp;
using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>P10: a client's call over gRPC, through two silos into Redis, as it arrives over OTLP.</summary>
[Collection(LoadedCluster.Tests)]
public sealed class TraceTests(LoadedCluster cluster)
{
    private const string Door = "vmo.door/", Grain = "vmo.grain/", Client = "vmo.client/", Store = "vmo.store/";

    [Fact]
    public async Task A_write_through_a_silo_that_does_not_own_the_VMO_is_one_connected_trace()
    {
        using var exporter = Export();
        await using var one = VmoClient.Connect(new() { Endpoints = [cluster.Endpoints[0]] });
        await using var other = VmoClient.Connect(new() { Endpoints = [cluster.Endpoints[1]] });

        // Wherever the VMO is, one of the two doors is in another process.
        var vmo = await one.CreateAsync(1 << 20);
        await vmo.WriteAsync(0, Bytes(3 * 4096));
        await other.Open(vmo.Handle).WriteAsync(0, Bytes(2 * 4096));

        exporter.ForceFlush();
        var trace = await cluster.Traces.WaitAsync("write whose door and grain are in two silos, with its commit in the store", spans => spans
            .GroupBy(s => s.TraceId)
            .Where(t => t.Any(s => s.Name == Client + "write"))
            .Select(t => t.ToList())
            .FirstOrDefault(t => IsWhole(t) && DoorAndGrain(t) is var (door, grain) && door.Instance != grain.Instance), TimeSpan.FromSeconds(30));

        var root = Assert.Single(trace, s => s.ParentId is null);
        Assert.Equal((Client + "write", Span.Types.Kind.Client), (root.Name, root.Span.Kind));
        Assert.True(trace.Select(s => s.Instance).Distinct().Count() >= 3, "the client and two silos are three processes to the receiver");
        var store = trace.First(s => s.Name.StartsWith(Store, StringComparison.Ordinal));
        var line = Ancestors(trace, store).Select(s => s.Name).Reverse().ToList();
        // From the caller down to Redis, in this order, with Orleans' and ASP.NET's own spans between.
        Assert.Equal(["vmo.client/write", "vmo.door/write", "vmo.grain/write", "vmo.commit"], line.Where(n => n.StartsWith("vmo.", StringComparison.Ordinal)));
        var (doorSpan, grainSpan) = DoorAndGrain(trace)!.Value;
        Assert.Contains(Between(trace, doorSpan, grainSpan), s => s.Span.Kind == Span.Types.Kind.Client && s.Instance == doorSpan.Instance);
        Assert.Contains(Between(trace, doorSpan, grainSpan), s => s.Span.Kind == Span.Types.Kind.Server && s.Instance == grainSpan.Instance);
    }

    [Fact]
    public async Task Every_public_call_of_the_client_is_one_connected_trace_without_a_secret()
    {
        using var exporter = Export();
        await using var client = VmoClient.Connect(new() { Endpoints = [cluster.Endpoints[^1]] });
        var vmo = await client.CreateAsync(1 << 20, new() { Name = "traced" });
        await vmo.WriteAsync(100, Bytes(5000));
        await vmo.ReadAsync(0, new byte[4096]);
        await vmo.SetSizeAsync(2 << 20);
        await vmo.GetSizeAsync();
        await vmo.ZeroAsync(new(0, 4096));
        await vmo.GetInfoAsync();
        await vmo.SetNameAsync("renamed");
        await vmo.SignalAsync(VmoSignals.None, VmoSignals.User0);
        await vmo.WaitAsync(VmoSignals.User0, TimeSpan.FromSeconds(5));
        var weaker = await vmo.DuplicateAsync(VmoRights.Read);
        await weaker.RevokeAsync();
        await vmo.CloseAsync();
        exporter.ForceFlush();

        string[] calls = ["create", "write", "read", "set_size", "get_size", "op_range", "get_info", "set_name", "signal", "wait", "duplicate", "revoke", "close"];
        var spans = await cluster.Traces.WaitAsync("whole trace of each of " + string.Join(", ", calls), all =>
        {
            var traces = all.GroupBy(s => s.TraceId).Select(t => t.ToList()).Where(IsWhole).ToList();
            return calls.All(c => traces.Any(t => t.Any(s => s.Name == Client + c) && t.Any(s => s.Name.StartsWith(Grain, StringComparison.Ordinal)))) ? all : null;
        }, TimeSpan.FromSeconds(30));

        var everything = string.Join('\n', spans.SelectMany(s => s.Span.Attributes).Select(a => a.ToString()));
        Assert.DoesNotContain(VmoHandle.Prefix, everything);
        Assert.DoesNotContain(vmo.Handle.Reveal()[VmoHandle.Prefix.Length..], everything);
    }

    [Fact]
    public async Task Every_span_is_in_the_table_and_every_span_of_the_table_is_seen()
    {
        using (var exporter = Export())
        {
            await using var client = VmoClient.Connect(new() { Endpoints = [cluster.Endpoints[0]] });
            var vmo = await client.CreateAsync(1 << 20);
            await vmo.WriteAsync(0, Bytes(4096));
            await vmo.ReadAsync(0, new byte[4096]);
        }

        var table = TelemetryTable.Load().Spans;
        var ours = await cluster.Traces.WaitAsync("span for each row of the table", spans =>
        {
            var ours = spans.Where(s => s.Scope == Telemetry.Name).ToList();
            return table.All(row => ours.Any(s => row.Covers(s.Name))) ? ours : null;
        }, TimeSpan.FromSeconds(30));
        foreach (var span in ours.DistinctBy(s => (s.Name, string.Join(',', s.AttributeNames.Order()))))
        {
            var row = Assert.Single(table, r => r.Covers(span.Name));
            Assert.Equal(row.Kind, span.Span.Kind.ToString().ToLowerInvariant());
            Assert.Subset(row.Attributes.ToHashSet(), span.AttributeNames.ToHashSet());
        }
    }

    // Not zeros: those would store nothing.
    private static byte[] Bytes(int count) => [.. Enumerable.Repeat((byte)7, count)];

    // This process is the client: its spans go where the silos' go, under an instance of its own.
    private TracerProvider Export() => Sdk.CreateTracerProviderBuilder()
        .AddSource(Telemetry.Name)
        .SetSampler(new AlwaysOnSampler())
        .ConfigureResource(r => r.AddService("vmo-test", serviceInstanceId: "client"))
        .AddOtlpExporter(o =>
        {
            o.Endpoint = new(cluster.Traces.Endpoint, "/v1/traces");
            o.Protocol = OpenTelemetry.Exporter.OtlpExportProtocol.HttpProtobuf;
        })
        .Build();

    // One root, and no span whose parent did not arrive.
    private static bool IsWhole(List<ReceivedSpan> trace)
    {
        var ids = trace.Select(s => s.Id).ToHashSet();
        return trace.Count(s => s.ParentId is null) == 1 && trace.All(s => s.ParentId is null || ids.Contains(s.ParentId));
    }

    private static (ReceivedSpan Door, ReceivedSpan Grain)? DoorAndGrain(List<ReceivedSpan> trace)
    {
        var door = trace.FirstOrDefault(s => s.Name.StartsWith(Door, StringComparison.Ordinal));
        var grain = trace.FirstOrDefault(s => s.Name.StartsWith(Grain, StringComparison.Ordinal));
        return door is null || grain is null || !trace.Any(s => s.Name.StartsWith(Store, StringComparison.Ordinal)) ? null : (door, grain);
    }

    private static IEnumerable<ReceivedSpan> Ancestors(List<ReceivedSpan> trace, ReceivedSpan of)
    {
        for (var at = trace.SingleOrDefault(s => s.Id == of.ParentId); at is not null; at = trace.SingleOrDefault(s => s.Id == at.ParentId))
            yield return at;
    }

    private static IEnumerable<ReceivedSpan> Between(List<ReceivedSpan> trace, ReceivedSpan upper, ReceivedSpan lower) =>
        Ancestors(trace, lower).TakeWhile(s => s != upper);
}
