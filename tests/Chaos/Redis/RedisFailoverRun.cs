using System.Diagnostics;
using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Redis;

/// <summary>
/// Silos over a primary, its replicas and three Sentinels, and writers through all silos, while primaries are lost one after the other: how many
/// acknowledged writes are gone afterwards, and from how long before. At the end what all runs left is read once more through silos that were started anew, which have
/// nothing in memory that could hide a loss.
/// </summary>
internal sealed class RedisFailoverRun : IAsyncDisposable
{
    private const int WritersPerSilo = 2;
    private const int EnoughWrites = 50;
    private const int AskedMost = 3;
    private static readonly TimeSpan BehindFor = TimeSpan.FromSeconds(3);

    private readonly ClusterLab _lab;
    private readonly RedisFailoverOptions _options;
    private readonly Action<string> _tell;

    // One of each run's VMOs; the others are closed, so that memory is bounded.
    private readonly List<(NumberedWrites Writes, Vmo Vmo, int Lost)> _kept = [];
    private readonly Dictionary<PrimaryEnd, List<Losses>> _losses = [];
    private List<VmoClient> _clients = [];

    private RedisFailoverRun(ClusterLab lab, RedisFailoverOptions options, Action<string> tell) => (_lab, _options, _tell) = (lab, options, tell);

    /// <summary>Does all of it. Fails when what is read at the end is not what was read after each failover.</summary>
    public static async Task<RedisFailoverVerdict> RunAsync(RedisFailoverOptions options, Action<string> tell)
    {
        var silo = new SiloOptions { Arguments = ["--durability", options.Durability] };
        var lab = await ClusterLab.StartAsync(options.Silos, silo, options.Replicas, hasSentinels: true, inNetwork: false);
        await using var run = new RedisFailoverRun(lab, options, tell);
        run.Connect();
        for (var i = 0; i < options.Runs; i++)
            await run.LoseAsync(i, options.Ends[i % options.Ends.Count]);
        return new(run._losses.ToDictionary(pair => pair.Key, pair => (IReadOnlyList<Losses>)pair.Value), await run.HiddenAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (writes, _, _) in _kept)
            await writes.DisposeAsync();
        foreach (var client in _clients)
            await client.DisposeAsync();
        await _lab.DisposeAsync();
    }

    // A client a silo; each knows the others, too.
    private void Connect()
    {
        var silos = _lab.Cluster.Silos;
        _clients = [.. Enumerable.Range(0, silos.Count).Select(i => VmoClient.Connect(new()
        {
            Endpoints = [.. Enumerable.Range(i, silos.Count).Select(n => silos[n % silos.Count].Endpoint)], Deadline = TimeSpan.FromSeconds(30),
        }))];
    }

    private async Task LoseAsync(int run, PrimaryEnd end)
    {
        var vmos = new List<Vmo>();
        foreach (var client in _clients)
        {
            for (var i = 0; i < WritersPerSilo; i++)
                vmos.Add(await client.CreateAsync(1UL << 40));
        }

        var writes = vmos.Select(vmo => new NumberedWrites(vmo)).ToList();
        await Task.WhenAll(writes.Select(one => one.WaitForMoreAsync(EnoughWrites)));
        // Every other VMO rests from the end of the primary on: of one that is written, the first commit would find out what was lost.
        var ended = await EndAsync(end, () => writes.Where((_, i) => i % 2 == 1).ToList().ForEach(one => one.Cease()));
        // Where all replicas must acknowledge, nothing is written until it is back. The Sentinels would take ten seconds to tell it whom to follow.
        foreach (var node in _lab.Redis.Nodes.Where(node => node.HasExited))
        {
            await node.RestartAsync();
            await node.FollowAsync(await _lab.Redis.PrimaryAsync());
        }

        await Task.WhenAll(writes.Where((_, i) => i % 2 == 0).Select(one => one.WaitForMoreAsync(EnoughWrites)));
        await Task.WhenAll(writes.Select(one => one.StopAsync()));
        await _lab.Redis.WaitForReplicasAsync(_options.Replicas);

        var lost = await Task.WhenAll(writes.Select(one => one.LostAsync()));
        var (first, last) = (lost.SelectMany(times => times).DefaultIfEmpty(ended).Min(), lost.SelectMany(times => times).DefaultIfEmpty(ended).Max());
        var losses = new Losses(
            lost.Sum(times => times.Count), writes.Sum(one => one.Acked), Stopwatch.GetElapsedTime(Math.Min(first, ended), ended), Stopwatch.GetElapsedTime(ended, Math.Max(last, ended)),
            writes.Max(one => one.LongestPause()), writes.Sum(one => one.Failed));
        if (!_losses.TryGetValue(end, out var all))
            _losses[end] = all = [];
        all.Add(losses);
        _tell(string.Create(CultureInfo.InvariantCulture, $"{run + 1,4} {end,-16} {losses}"));
        for (var i = 0; i < writes.Count; i++)
        {
            if (i == run % writes.Count)
            {
                _kept.Add((writes[i], vmos[i], lost[i].Count));
                continue;
            }

            await vmos[i].CloseAsync();
            await writes[i].DisposeAsync();
        }
    }

    // Answers when the primary was lost, for the harness.
    private async Task<long> EndAsync(PrimaryEnd end, Action before)
    {
        var old = await _lab.Redis.PrimaryAsync();
        if (end == PrimaryEnd.Asked)
        {
            before();
            return await AskAsync();
        }

        var replicas = _lab.Redis.Nodes.Where(node => node != old).ToList();
        var behind = end switch
        {
            PrimaryEnd.KilledOneBehind => replicas.Take(1).ToList(),
            PrimaryEnd.KilledAllBehind => replicas,
            _ => [],
        };
        foreach (var replica in behind)
            replica.Pause();
        if (behind.Count > 0)
            await Task.Delay(BehindFor);
        before();
        var killed = Stopwatch.GetTimestamp();
        await _lab.Redis.KillPrimaryAsync();
        foreach (var replica in behind)
            replica.Resume();
        await _lab.Redis.WaitForNewPrimaryAsync(old);
        return killed;
    }

    // The Sentinels may find no replica good enough, and give up what they have begun; they are asked again.
    private async Task<long> AskAsync()
    {
        for (var tries = 1; ; tries++)
        {
            var asked = Stopwatch.GetTimestamp();
            try
            {
                await _lab.Redis.FailOverAsync();
                return asked;
            }
            catch (TimeoutException failure) when (tries < AskedMost)
            {
                _tell(failure.Message);
            }
        }
    }

    // Of the kept VMOs, how many losses silos with an empty memory find that were not seen before.
    private async Task<int> HiddenAsync()
    {
        foreach (var silo in _lab.Cluster.Silos)
            await silo.RestartAsync();
        await _lab.Cluster.WaitForMembersAsync(_options.Silos);
        await using var client = VmoClient.Connect(new() { Endpoints = [.. _lab.Cluster.Endpoints], Deadline = TimeSpan.FromSeconds(30) });
        var hidden = 0;
        foreach (var (writes, vmo, lost) in _kept)
            hidden += Math.Abs((await writes.LostAsync(client.Open(vmo.Handle))).Count - lost);
        return hidden;
    }
}
