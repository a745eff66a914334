using System.Diagnostics;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>Three silos on one Redis, loaded for some seconds while a Prometheus scrapes them; one of them is killed in the middle.</summary>
[CollectionDefinition(Tests)]
public sealed class LoadedCluster : IAsyncLifetime, ICollectionFixture<LoadedCluster>
{
    /// <summary>The tests that share one.</summary>
    public const string Tests = "a loaded cluster";

    private const int Silos = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly List<SiloProcess> _silos = [];
    private readonly Dictionary<string, (string Type, HashSet<string> Labels)> _exported = [];
    private RedisServer _redis = null!;
    private ClientMetrics _client = null!;

    internal PrometheusServer Prometheus { get; private set; } = null!;

    internal OtlpReceiver Traces { get; private set; } = null!;

    /// <summary>The doors of the silos that are left.</summary>
    internal IReadOnlyList<Uri> Endpoints { get; private set; } = [];

    /// <summary>Our metrics, by Prometheus name, over all silos.</summary>
    internal IReadOnlyDictionary<string, (string Type, HashSet<string> Labels)> Exported => _exported;

    internal DateTimeOffset From { get; private set; }

    internal DateTimeOffset To { get; private set; }

    public async Task InitializeAsync()
    {
        Traces = OtlpReceiver.Start();
        _redis = await RedisServer.StartAsync(["appendonly yes", "maxmemory-policy noeviction"]);
        for (var i = 0; i < Silos; i++)
            _silos.Add(await SiloProcess.StartAsync(new() { Redis = _redis.Configuration, Environment = Traces.Environment }));
        _client = await ClientMetrics.StartAsync();
        Prometheus = await PrometheusServer.StartAsync([.. _silos.Select(s => s.Http.Authority), _client.Http.Authority]);
        From = DateTimeOffset.UtcNow;

        await using (var load = await Load.StartAsync([.. _silos.Select(s => s.Endpoint)]))
        {
            await RunForAsync(load, TimeSpan.FromSeconds(8));
            await ScrapeAsync();
            // The one with the most VMOs: somebody has to take them over.
            var victim = (await Task.WhenAll(_silos.Select(async s => (Silo: s, Vmos: (await Scrape.OfAsync(s.Http)).Sum("vmo_activations"))))).MaxBy(s => s.Vmos).Silo;
            await victim.KillAsync();
            await victim.DisposeAsync();
            _silos.Remove(victim);
            await RunForAsync(load, TimeSpan.FromSeconds(16));
            await ScrapeAsync();
        }

        To = DateTimeOffset.UtcNow;
        Endpoints = [.. _silos.Select(s => s.Endpoint)];
    }

    public async Task DisposeAsync()
    {
        if (Prometheus is not null)
            await Prometheus.DisposeAsync();
        foreach (var silo in _silos)
            await silo.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
        if (_client is not null)
            await _client.DisposeAsync();
        await Traces.DisposeAsync();
    }

    // The load must go on for so long, and calls must be answered at its end.
    private static async Task RunForAsync(Load load, TimeSpan time)
    {
        await Task.Delay(time);
        var (before, waited) = (load.Answered, Stopwatch.StartNew());
        while (load.Answered < before + 50)
        {
            if (waited.Elapsed > Patience)
                throw new TimeoutException($"only {load.Answered - before} calls were answered in {Patience.TotalSeconds} s");
            await Task.Delay(50);
        }
    }

    private async Task ScrapeAsync()
    {
        foreach (var http in _silos.Select(s => s.Http).Append(_client.Http))
        {
            foreach (var (name, (type, labels)) in (await Scrape.OfAsync(http)).Metrics)
            {
                if (!_exported.TryAdd(name, (type, labels)))
                    _exported[name].Labels.UnionWith(labels);
            }
        }
    }
}
