using System.Globalization;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Redis;

/// <summary>What one failover has cost.</summary>
/// <param name="Lost">Acknowledged writes that are gone.</param>
/// <param name="Acked">Acknowledged writes of the run.</param>
/// <param name="Before">From how long before the primary's loss the first of them is.</param>
/// <param name="After">Until how long after it the last of them is: the old primary took writes while a replica was one already.</param>
/// <param name="Pause">The longest time in which a writer had nothing acknowledged.</param>
/// <param name="Failed">Writes whose deadline passed.</param>
internal sealed record Losses(int Lost, int Acked, TimeSpan Before, TimeSpan After, TimeSpan Pause, long Failed)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Lost} of {Acked} acknowledged writes lost, from {Before.TotalSeconds:F2} s before to {After.TotalSeconds:F2} s after; longest pause {Pause.TotalSeconds:F1} s, {Failed} writes failed");
}

/// <summary>All failovers, by how the primary was lost.</summary>
/// <param name="ByEnd">Each way's runs.</param>
/// <param name="Hidden">Losses that only silos with an empty memory have found: what others answered was not in the store.</param>
internal sealed record RedisFailoverVerdict(IReadOnlyDictionary<PrimaryEnd, IReadOnlyList<Losses>> ByEnd, int Hidden)
{
    public int Lost => ByEnd.Values.Sum(all => all.Sum(one => one.Lost));

    public void Add(Report report, RedisFailoverOptions options)
    {
        foreach (var (end, all) in ByEnd)
        {
            report.Add(
                $"{Name(end)}, {options.Durability}, {all.Count} times",
                string.Create(CultureInfo.InvariantCulture, $"{all.Sum(one => one.Lost):N0} of {all.Sum(one => one.Acked):N0} acknowledged writes lost"),
                string.Create(CultureInfo.InvariantCulture, $"in {all.Count(one => one.Lost > 0)} failovers, at most {all.Max(one => one.Lost)} from {all.Max(one => one.Before).TotalSeconds:F2} s before to {all.Max(one => one.After).TotalSeconds:F2} s after"),
                string.Create(CultureInfo.InvariantCulture, $"pause {all.Select(one => one.Pause.TotalSeconds).Order().ElementAt(all.Count / 2):F1} s median, {all.Max(one => one.Pause).TotalSeconds:F1} s worst; {all.Sum(one => one.Failed)} writes failed"));
        }

        report.Add("losses that a silo's memory had hidden", $"{Hidden}", atLeast: "0");
    }

    private static string Name(PrimaryEnd end) => end switch
    {
        PrimaryEnd.Killed => "primary killed",
        PrimaryEnd.KilledOneBehind => "primary killed, one replica 3 s behind",
        PrimaryEnd.KilledAllBehind => "primary killed, all replicas 3 s behind",
        _ => "SENTINEL FAILOVER of a primary that is well",
    };
}
