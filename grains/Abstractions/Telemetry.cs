using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace VmoCluster;

/// <summary>The one source of spans and the one meter. dashboards/TELEMETRY.md lists every name; a test compares.</summary>
public static class Telemetry
{
    /// <summary>Name of the ActivitySource and of the Meter.</summary>
    public const string Name = "VmoCluster";

    public static ActivitySource Source { get; } = new(Name);

    public static Meter Meter { get; } = new(Name);
}
