using System.Globalization;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Overload;

/// <summary>
/// Ten times as many calls as silos get through: how many of them are answered Ok within their deadline, against the most that a closed loop
/// reaches; what memory does; and whether the cluster is as before afterwards.
/// </summary>
internal static class OverloadRun
{
    private const int AfterCalls = 32;

    /// <summary>Both ways of holding the capacity down, by callers who take a refusal for an answer, and by the product's client.</summary>
    public static async Task RunAsync(OverloadOptions given, Report report)
    {
        foreach (var narrow in Enum.GetValues<Narrow>())
        {
            var options = given with { Narrow = narrow };
            await using var cluster = await OverloadedCluster.StartAsync(options);
            var endpoints = cluster.Cluster.Endpoints;
            await using (var plain = new PlainCalls(endpoints, cluster.Handles, options.Deadline))
                await RunAsync($"{Name(narrow)}, callers who do not repeat", plain, cluster, options, report);

            // Messages of our client grow with the load, and a request to Redis carries a message: there, it would widen what is to be narrow.
            if (narrow == Narrow.Store)
                continue;
            await using (var product = new ProductCalls(endpoints, cluster.Handles, options.Deadline))
                await RunAsync($"{Name(narrow)}, the product's client", product, cluster, options, report);
        }
    }

    private static async Task RunAsync(string name, ICalls calls, OverloadedCluster cluster, OverloadOptions options, Report report)
    {
        var few = AfterCalls / calls.AtOnce;
        var loops = new Loops(calls, options, OverloadedCluster.PagesPerVmo);

        // What code is compiled and which connections are open must not count.
        await loops.CloseAsync(few, options.PeakLength);
        var before = await loops.CloseAsync(few, options.PeakLength);
        var (peak, at) = (0.0, 0);
        foreach (var under in options.PeakCalls)
        {
            var rate = (await loops.CloseAsync(under / calls.AtOnce, options.PeakLength)).Good / options.PeakLength.TotalSeconds;
            (peak, at) = rate > peak ? (rate, under) : (peak, at);
        }

        Tally tally;
        List<long> resident;
        await using (var watch = new MemoryWatch(cluster.Cluster.Silos))
        {
            tally = await loops.OpenAsync(options.OfferedPerSecond, options.Length);
            resident = watch.Resident;
        }

        var after = await loops.CloseAsync(few, options.PeakLength);
        var (seconds, good) = (options.Length.TotalSeconds, tally.Good / options.Length.TotalSeconds);
        report.Add(
            $"{name}: answered Ok within {options.Deadline.TotalSeconds:0.#} s",
            Text($"{good:N0} of {tally.All / seconds:N0} offered a second; half of the seconds at least {tally.MedianSecond((int)seconds):N0}, the worst {tally.WorstSecond((int)seconds):N0}"),
            Text($"peak {peak:N0} a second, of {at} calls at a time in a closed loop"), Text($"{good / peak:F2}"), "0.80");
        report.Add(
            $"{name}: the others",
            Text($"{tally.Count(Ending.Refused):N0} told to wait ({tally.HintMs(0.01)} to {tally.HintMs(0.99)} ms, half up to {tally.HintMs(0.5)}), {tally.Late:N0} Ok too late, {tally.Count(Ending.TimedOut):N0} without answer in time, {tally.Count(Ending.Failed):N0} failed {tally.Failures}"),
            Text($"longest call {tally.Longest.TotalSeconds:F2} s"), "", "deadline + 1 s");
        report.Add(
            $"{name}: memory of the silos",
            Text($"{resident.Max() >> 20} MiB at most, {resident[^1] >> 20} at the end"),
            Text($"{resident[0] >> 20} MiB at the begin, {resident[resident.Count / 2] >> 20} in the middle"), Text($"{(double)resident[^1] / resident[resident.Count / 2]:F2} end to middle"), "flat");
        report.Add(
            $"{name}: latency of {AfterCalls} calls at a time afterwards",
            Text($"{after.OkSeconds(0.5) * 1000:F0} ms, 99 of 100 {after.OkSeconds(0.99) * 1000:F0} ms; {after.All - after.Good} not Ok; {cluster.Cluster.Silos.Count(silo => silo.HasExited)} silos ended"),
            Text($"before {before.OkSeconds(0.5) * 1000:F0} and {before.OkSeconds(0.99) * 1000:F0} ms; {before.All - before.Good} not Ok"), "", "as before");
    }

    private static string Name(Narrow narrow) => narrow == Narrow.Calls ? "limit of calls" : "limit towards Redis";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
