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
    private static readonly TimeSpan SettledWithin = TimeSpan.FromSeconds(60);

    private readonly SiloCluster _cluster;
    private readonly List<VmoClient> _clients;
    private readonly List<Vmo> _vmos;
    private readonly List<PacedWrites> _writes;

    private FailoverRun(SiloCluster cluster, List<VmoClient> clients, List<Vmo> vmos)
    {
        (_cluster, _clients, _vmos) = (cluster, clients, vmos);
        _writes = [.. vmos.Where((_, i) => i % 10 == 0).Select(vmo => new PacedWrites(vmo))];
    }

    /// <summary>Measures each way of going, and a restart of all silos one after the other.</summary>
    public static async Task RunAsync(FailoverOptions options, Report report)
    {
        await using var run = await StartAsync(options.Vmos);
        foreach (var (going, wanted) in new[] { (Going.Killed, "6 s median, 10 s worst"), (Going.Frozen, "10 s median, 15 s worst"), (Going.Left, "1 s") })
        {
            var (times, pauses, failed) = (new List<double>(), new List<double>(), 0L);
            for (var i = 0; i < options.Runs; i++)
            {
                run.Forget();
                times.Add(await run.GoAsync(going, await run.FullestAsync()));
                pauses.Add(run._writes.Max(one => one.LongestSeconds));
                failed += run._writes.Sum(one => one.Failed);
            }

            report.Add(
                $"{Name(going)} -> all {options.Vmos:N0} VMOs have answered, {options.Runs} times",
                string.Create(CultureInfo.InvariantCulture, $"{Median(times):F1} s median, {times.Max():F1} s worst"),
                string.Create(CultureInfo.InvariantCulture, $"longest write {pauses.Max():F1} s, {failed} writes failed"), "", wanted);
        }

        run.Forget();
        await run.RollAsync();
        var slowest = run._writes.Max(one => one.LongestSeconds);
        report.Add(
            "all silos restarted one after the other by SIGTERM",
            string.Create(CultureInfo.InvariantCulture, $"{run._writes.Sum(one => one.Failed)} of {run._writes.Sum(one => one.Done):N0} writes failed"),
            string.Create(CultureInfo.InvariantCulture, $"longest write {slowest:F2} s"), "", "none; 1 s");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _writes)
            await one.DisposeAsync();
        foreach (var client in _clients)
            await client.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    private static async Task<FailoverRun> StartAsync(int count)
    {
        var cluster = await SiloCluster.StartAsync(Silos);
        var clients = new List<VmoClient>();
        for (var i = 0; i < Silos; i++)
            clients.Add(VmoClient.Connect(new() { Endpoints = [.. Enumerable.Range(i, Silos).Select(n => cluster.Silos[n % Silos].Endpoint)] }));
        var vmos = new Vmo[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, stop) =>
        {
            vmos[i] = await clients[i % Silos].CreateAsync(16 * Limits.PageBytes, cancellation: stop);
            await vmos[i].WriteAsync(0, new byte[Limits.PageBytes], stop);
        });
        return new(cluster, clients, [.. vmos]);
    }

    private void Forget()
    {
        foreach (var one in _writes)
            one.Forget();
    }

    // A silo that has come back has no VMOs yet: one that has many goes.
    private async Task<SiloProcess> FullestAsync()
    {
        var vmos = new List<(double Count, SiloProcess Silo)>();
        foreach (var silo in _cluster.Silos)
            vmos.Add((await SiloFigures.SumAsync(silo, "vmo_activations"), silo));
        return vmos.MaxBy(one => one.Count).Silo;
    }

    // Seconds until the last VMO has answered. Afterwards the silo is a member again.
    private async Task<double> GoAsync(Going going, SiloProcess silo)
    {
        var began = Stopwatch.GetTimestamp();
        var end = Task.CompletedTask;
        if (going == Going.Killed)
            await silo.KillAsync();
        else if (going == Going.Frozen)
            silo.Pause();
        else
            end = silo.StopAsync();
        var answers = await Task.WhenAll(_vmos.Select(vmo => AnswerAsync(vmo, began)));
        if (going == Going.Frozen)
            silo.Resume();
        await end;
        await SettleAsync(silo);
        return answers.Max();
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
            await SettleAsync(silo);
        }
    }

    // A silo that was frozen may end by itself, some seconds after it goes on.
    private async Task SettleAsync(SiloProcess silo)
    {
        var began = Stopwatch.GetTimestamp();
        while (!silo.HasExited && !await _cluster.IsMemberAsync(silo))
        {
            if (Stopwatch.GetElapsedTime(began) > SettledWithin)
                throw new TimeoutException($"{silo.Http} has neither ended nor come back within {SettledWithin.TotalSeconds} s.");
            await Task.Delay(100);
        }

        if (silo.HasExited)
            await silo.RestartAsync();
        await _cluster.WaitForMembersAsync(Silos);
    }

    private static string Name(Going going) => going switch
    {
        Going.Killed => "kill -9 of a silo",
        Going.Frozen => "frozen silo",
        _ => "SIGTERM of a silo",
    };

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
