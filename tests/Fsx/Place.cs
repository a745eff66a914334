using VmoCluster.Client;
using VmoCluster.Fsx.Ops;
using VmoCluster.Fsx.Targets;
using VmoCluster.Harness;

namespace VmoCluster.Fsx;

/// <summary>Where families are played: the simulation, a node started for this run, or an endpoint that is there.</summary>
internal sealed class Place : IAsyncDisposable
{
    private readonly FsxOptions _options;
    private RedisServer? _redis;
    private SiloProcess? _node;
    private VmoClient? _client;

    private Place(FsxOptions options) => _options = options;

    public static async Task<Place> OpenAsync(FsxOptions options)
    {
        var place = new Place(options);
        if (options.Target == "core")
            return place;
        try
        {
            var endpoint = options.Target == "node" ? await place.StartNodeAsync() : new Uri(options.Target);
            place._client = VmoClient.Connect(new() { Endpoints = [endpoint], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = place._node?.OperatorToken });
            return place;
        }
        catch
        {
            await place.DisposeAsync();
            throw;
        }
    }

    public ITarget Start(Script script) => _client is not null
        ? new ClientTarget(_client, canList: _node is not null)
        : new CoreTarget(script.Seed, _options.LostPercent ?? (script.Seed % 2 == 0 ? 15 : 0));

    /// <summary>Whether the store of a node started here is whole when all has been played. Null: it is, or it cannot be told.</summary>
    public async Task<string?> CheckStoreAsync()
    {
        if (_node is null)
            return null;
        var findings = await _client!.ScrubAsync().ToListAsync();
        return findings.Count == 0 ? null : string.Join('\n', findings);
    }

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
            await _client.DisposeAsync();
        if (_node is not null)
            await _node.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
    }

    private async Task<Uri> StartNodeAsync()
    {
        _redis = await RedisServer.StartAsync(["appendonly no"]);
        _node = await SiloProcess.StartAsync(new() { Redis = _redis.Configuration });
        return _node.Endpoint;
    }
}
