using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>
/// Clusters on one redis-server, each by its own prefix, with the silo that lives on in each. Most of a death's time is the dead silo's lease: so several are waited for
/// at once.
/// </summary>
public sealed class FaultLanes : IAsyncLifetime
{
    private const int Count = 4;

    private readonly List<SiloProcess> _survivors = [];
    private RedisServer? _redis;

    public RedisServer Redis => _redis!;

    public IReadOnlyList<SiloOptions> Options { get; private set; } = [];

    public IReadOnlyList<SiloProcess> Survivors => _survivors;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync(["appendonly no"]);
        Options = [.. Enumerable.Range(0, Count).Select(lane => new SiloOptions { Redis = _redis.Configuration, Prefix = $"lane{lane}:" })];
        foreach (var options in Options)
            _survivors.Add(await SiloProcess.StartAsync(options));
    }

    public async Task DisposeAsync()
    {
        foreach (var survivor in _survivors)
            await survivor.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
    }
}
