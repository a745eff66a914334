using System.Diagnostics.Metrics;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting;

/// <summary>The hosting's metrics, by name. dashboards/TELEMETRY.md says what each means.</summary>
internal static class HostingTelemetry
{
    /// <summary>Renewals of this silo's session; tag vmo.outcome: renewed, unanswered, lost.</summary>
    public static Counter<long> Renewals { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.session.renewals", "{renewal}", "Renewals of this silo's session, by outcome.");

    /// <summary>Sessions of other silos this silo marked dead.</summary>
    public static Counter<long> MarkedDead { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.session.marked_dead", "{session}", "Sessions of other silos that this silo marked dead.");

    /// <summary>Times the store was found behind what this silo had seen of it.</summary>
    public static Counter<long> SetBacks { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.store.setbacks", "{setback}", "Times the store had lost its latest past and was taken all the same.");

    /// <summary>How far, all of them together.</summary>
    public static Counter<double> SecondsLost { get; } =
        Telemetry.Meter.CreateCounter<double>("vmo.store.lost", "s", "How far the store was behind what this silo had seen of it, all set-backs together.");

    /// <summary>Times this silo dropped all it held because another history of the store answered.</summary>
    public static Counter<long> HistoriesChanged { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.store.primaries_changed", "{change}", "Fail-overs and restarts of the store, after which this silo took all its VMOs anew.");

    /// <summary>Letters done; tag vmo.letter: give-up, drop, retire.</summary>
    public static Counter<long> Letters { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.session.letters", "{letter}", "Letters to this silo that it has done, by kind.");

    /// <summary>VMOs this silo came to own, or did not; tag vmo.outcome: own, released, dead, given-up, wait, raced.</summary>
    public static Counter<long> Takeovers { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.takeovers", "{vmo}", "Attempts to own a VMO, by what came of them.");

    /// <summary>VMOs of dead silos whose unfinished work was woken; tag vmo.outcome: woken, failed.</summary>
    public static Counter<long> Inherited { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.estates.inherited", "{vmo}", "VMOs with unfinished work of dead silos that this silo woke, by outcome.");

    /// <summary>Grain calls that ended by a broken belief of ours.</summary>
    public static Counter<long> Invariants { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.invariants.broken", "{failure}", "Beliefs of ours that turned out false; the activation was ended. Each is a bug.");

    /// <summary>Calls from outside to what is not public.</summary>
    public static Counter<long> Trespasses { get; } =
        Telemetry.Meter.CreateCounter<long>("vmo.gateway.refused", "{call}", "Calls of external Orleans clients to grains that are not public, refused.");

    /// <summary>Counts a set-back.</summary>
    public static void SetBack(TimeSpan lost)
    {
        SetBacks.Add(1);
        SecondsLost.Add(lost.TotalSeconds);
    }

    /// <summary>
    /// Shows the counters of rare things as zero. One that appears with its first count has no rise to be seen: no panel and no alert
    /// would have that one.
    /// </summary>
    public static void ShowZeros()
    {
        MarkedDead.Add(0);
        SetBacks.Add(0);
        SecondsLost.Add(0);
        HistoriesChanged.Add(0);
        Invariants.Add(0);
        Trespasses.Add(0);
    }

    /// <summary>Watches the lease of a silo for as long as the meter lives.</summary>
    public static void WatchLease(SiloSession session) =>
        Telemetry.Meter.CreateObservableGauge("vmo.session.lease", () => session.Left.TotalSeconds, "s", "What is left of this silo's lease.");
}
