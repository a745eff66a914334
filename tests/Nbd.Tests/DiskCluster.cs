using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>Two silos over a Redis, each of which serves disks on a unix socket, and a client of both.</summary>
public sealed class DiskCluster : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-").FullName;
    private RedisServer? _redis;

    /// <summary>The silos.</summary>
    public SiloCluster Cluster { get; private set; } = null!;

    /// <summary>Makes the disks.</summary>
    public VmoClient Client { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"]);
        Cluster = await SiloCluster.StartEachAsync(2, i => new() { Redis = _redis.Configuration, Arguments = ["--nbd", $"unix:{Socket(i)}", "--nbd-patience", "60"] }, _redis);
        Client = VmoClient.Connect(new() { Endpoints = Cluster.Endpoints, Deadline = TimeSpan.FromSeconds(60), ConnectTimeout = TimeSpan.FromSeconds(30) });
    }

    public async Task DisposeAsync()
    {
        if (Client is not null)
            await Client.DisposeAsync();
        if (Cluster is not null)
            await Cluster.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A VMO through one silo's door.</summary>
    public string Uri(Vmo vmo, int silo) => $"nbd+unix:///{vmo.Handle.Reveal()}?socket={Socket(silo)}";

    /// <summary>Which silo a VMO lives on; -1: none at present.</summary>
    public async Task<int> OwnerAsync(Vmo vmo) => await Cluster.OwnerAsync(vmo.Koid.Value) is { } owner ? Cluster.Silos.ToList().IndexOf(owner) : -1;

    /// <summary>A file of the cluster's, gone with it.</summary>
    public string File(string name) => Path.Combine(_folder, name);

    /// <summary>Where a silo serves disks.</summary>
    public string Socket(int silo) => Path.Combine(_folder, $"nbd-{silo}");
}
