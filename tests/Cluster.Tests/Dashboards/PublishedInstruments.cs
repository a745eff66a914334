using System.Diagnostics.Metrics;
using System.Reflection;
using System.Runtime.CompilerServices;
using VmoCluster.Harness;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>The instruments that the node's own assemblies make when their telemetry types are initialized: also those nothing has used yet.</summary>
internal static class PublishedInstruments
{
    public static IReadOnlyCollection<(string Name, string Kind, string Unit, string Description)> All { get; } = Find();

    private static HashSet<(string, string, string, string)> Find()
    {
        var found = new HashSet<(string, string, string, string)>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name == Telemetry.Name)
                found.Add((instrument.Name, KindOf(instrument), instrument.Unit ?? "", instrument.Description ?? ""));
        };
        listener.Start();
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(BuiltServer.Path)!, "VmoCluster.*.dll"))
        {
            foreach (var type in Assembly.LoadFrom(file).GetTypes().Where(t => t.Name.EndsWith("Telemetry", StringComparison.Ordinal)))
                RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }

        return found;
    }

    private static string KindOf(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "Counter" or "ObservableCounter" => "counter",
        "UpDownCounter" or "ObservableUpDownCounter" => "up-down counter",
        "Histogram" => "histogram",
        "Gauge" or "ObservableGauge" => "gauge",
        var other => other,
    };
}
