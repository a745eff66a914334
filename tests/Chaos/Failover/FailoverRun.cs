using System.Diagnostics;
using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Failover;

/// <summary>
/// Three silos over one redis-server and gRPC clients that know all of them: how long it takes, after one silo goes, until every VMO has answered.
/// The last one counts.
/// </summary>
internal sealed class FailoverRun : IAsyncDisposable
{
    private const int Silos = 3;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Warm = TimeSpan.FromSeconds(20);
    private static readonly ParallelOptions Many = new() { MaxDegreeOfParallelism = 16 };

    private readonly SiloCluster _cluster;
    private readonly List<VmoClient> _clients;
    private readonly int _count;
    private readonly TimeSpan _writeRest;
    private Vmo[] _vmos = [];
    private List<PacedWrites> _writes = [];

    private FailoverRun(SiloCluster cluster, List<VmoClient> clients, FailoverOptions options) =>
        (_cluster, _clients, _count, _writeRest) = (cluster, clients, options.Vmos, options.WriteRest);

    /// <summary>Measures each way of going, and a restart of all silos one after the other.</summary>
    public static async Task RunAsync(FailoverOptions options, Report report)
    {
        await using var run = await StartAsync(options);
        await run.WarmAsync();
        foreach (var going in options.Ways)
        {
            var (times, halves, pauses, held, failed) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), 0L);
            for (var i = 0; i < options.Runs; i++)
            {
                await run.FillAsync();
                var (silo, count) = await run.FullestAsync();
                var (half, last) = await run.GoAsync(going, silo);
                await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{Name(going)}, {i + 1} of {options.Runs}: the last of {options.Vmos:N0} VMOs after {last:F2} s; it had {count:N0}"));
                held.Add(count);
                halves.Add(half);
                times.Add(last);
                pauses.Add(run._writes.Max(one => one.LongestSeconds));
                failed += run._writes.Sum(one => one.Failed);
            }

            report.Add(
                $"{Name(going)} -> all {options.Vmos:N0} VMOs have answered, {options.Runs} times{(going == Going.Left ? "; each asked over and over until it has gone, and a second more" : "")}",
                string.Create(CultureInfo.InvariantCulture, $"{Median(times):F1} s median, {times.Max():F1} s worst"),
                string.Create(CultureInfo.InvariantCulture, $"the silo had {held.Min():N0} to {held.Max():N0}; half of all {(going == Going.Left ? "within" : "after")} {Median(halves):F1} s; longest write {pauses.Max():F1} s, {failed} writes failed"), "", Wanted(going));
        }

        await run.FillAsync();
        await run.RollAsync();
        var slowest = run._writes.Max(one => one.LongestSeconds);
        report.Add(
            "all silos restarted one after the other by SIGTERM",
            string.Create(CultureInfo.InvariantCulture, $"{run._writes.Sum(one => one.Failed)} of {run._writes.Sum(one => one.Done):N0} writes failed"),
            string.Create(CultureInfo.InvariantCulture, $"longest write {slowest:F2} s"), "", "none; 1 s");
    }

    public async ValueTask DisposeAsync()
    {
        await StopWritesAsync();
        foreach (var client in _clients)
            await client.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    private static async Task<FailoverRun> StartAsync(FailoverOptions options)
    {
        var cluster = await SiloCluster.StartAsync(Silos);
        var clients = new List<VmoClient>();
        for (var i = 0; i < Silos; i++)
            clients.Add(VmoClient.Connect(new() { Endpoints = [.. Enumerable.Range(i, Silos).Select(n => cluster.Silos[n % Silos].Endpoint)] }));
        return new(cluster, clients, options);
    }

    // New VMOs, which all silos share: one that has come back has none of those that were there before.
    private async Task FillAsync()
    {
        await StopWritesAsync();
        var (old, vmos) = (_vmos, new Vmo[_count]);
        await Parallel.ForAsync(0, old.Length, Many, async (i, stop) => await old[i].CloseAsync(stop));
        await Parallel.ForAsync(0, _count, Many, async (i, stop) =>
        {
            vmos[i] = await _clients[i % Silos].CreateAsync(16 * Limits.PageBytes, cancellation: stop);
            await vmos[i].WriteAsync(0, new byte[Limits.PageBytes], stop);
        });
        _vmos = vmos;
        _writes = [.. vmos.Where((_, i) => i % 10 == 0).Select(vmo => new PacedWrites(vmo, _writeRest))];
    }

    private async Task StopWritesAsync()
    {
        foreach (var one in _writes)
            await one.DisposeAsync();
        _writes = [];
    }

    private async Task<(SiloProcess Silo, double Vmos)> FullestAsync()
    {
        var vmos = new List<(SiloProcess Silo, double Count)>();
        foreach (var silo in _cluster.Silos)
            vmos.Add((silo, await SiloFigures.SumAsync(silo, "vmo_activations")));
        return vmos.MaxBy(one => one.Count);
    }

    // Seconds until half of the VMOs, and the last one, have answered. Afterwards the silo is a member again.
    private async Task<(double Half, double Last)> GoAsync(Going going, SiloProcess silo)
    {
        var answers = going == Going.Left ? await LeaveAsync(silo) : await FailAsync(going, silo);
        await _cluster.RestoreAsync();
        return (Median([.. answers]), answers.Max());
    }

    private async Task<double[]> FailAsync(Going going, SiloProcess silo)
    {
        var began = Stopwatch.GetTimestamp();
        if (going == Going.Killed)
            await silo.KillAsync();
        else
            silo.Pause();
        var answers = await Task.WhenAll(_vmos.Select(vmo => AnswerAsync(vmo, began)));
        if (going == Going.Frozen)
            silo.Resume();
        return answers;
    }

    // Silos run for days before one goes, and so do clients: what the first calls cost their compilers is none of what is measured.
    private async Task WarmAsync()
    {
        await FillAsync();
        using var over = new CancellationTokenSource(Warm);
        await Task.WhenAll(_vmos.Select((vmo, i) => WatchAsync(vmo, LookEvery * i / _count, over.Token)));
    }

    // It answers for each VMO until it hands that one over, so one answer says nothing: the longest one while it leaves counts.
    private async Task<double[]> LeaveAsync(SiloProcess silo)
    {
        using var over = new CancellationTokenSource();
        var watching = Task.WhenAll(_vmos.Select((vmo, i) => WatchAsync(vmo, LookEvery * i / _count, over.Token)));
        await Task.Delay(LookEvery);
        await silo.StopAsync();
        await Task.Delay(TimeSpan.FromSeconds(1));
        await over.CancelAsync();
        return await watching;
    }

    private static async Task<double> WatchAsync(Vmo vmo, TimeSpan rest, CancellationToken over)
    {
        var longest = 0.0;
        while (!over.IsCancellationRequested)
        {
            await Task.Delay(rest, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            rest = LookEvery;
            longest = Math.Max(longest, await AnswerAsync(vmo, Stopwatch.GetTimestamp()));
        }

        return longest;
    }

    private static async Task<double> AnswerAsync(Vmo vmo, long began)
    {
        var page = new byte[8];
        while (true)
        {
            try
            {
                await vmo.ReadAsync(0, page);
                return Stopwatch.GetElapsedTime(began).TotalSeconds;
            }
            catch (VmoException refused) when (refused.IsRetryable)
            {
                // Its deadline has passed; what is measured goes on.
            }
        }
    }

    private async Task RollAsync()
    {
        foreach (var silo in _cluster.Silos)
        {
            await silo.StopAsync();
            await _cluster.RestoreAsync();
        }
    }

    private static string Name(Going going) => going switch
    {
        Going.Killed => "kill -9 of a silo",
        Going.Frozen => "frozen silo",
        _ => "SIGTERM of a silo",
    };

    private static string Wanted(Going going) => going switch
    {
        Going.Killed => "6 s median, 10 s worst",
        Going.Frozen => "10 s median, 15 s worst",
        _ => "1 s",
    };

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
