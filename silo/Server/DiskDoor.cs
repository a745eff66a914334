using System.Net;
using VmoCluster.Client;
using VmoCluster.Hosting;
using VmoCluster.Hosting.Settings;
using VmoCluster.NbdDoor;

namespace VmoCluster.Server;

/// <summary>The node's third door: VMOs as disks. It opens when the silo serves, and closes first of all.</summary>
internal sealed partial class DiskDoor : IAsyncDisposable
{
    private readonly EndPoint _where;
    private readonly VmoClient _client;
    private readonly ILogger<NbdServer> _logger;
    private readonly NbdOptions _options;
    private NbdServer? _server;

    private DiskDoor(EndPoint where, VmoNodeOptions options, IServiceProvider services)
    {
        _where = where;
        _logger = services.GetRequiredService<ILogger<NbdServer>>();
        var patience = TimeSpan.FromSeconds(options.NbdPatienceSeconds);
        // The first request has its time, too.
        _client = new VmoClient(services.GetRequiredService<ITransport>(), new() { ConnectTimeout = patience });
        _options = new()
        {
            Patience = patience,
            Certificate = options.NbdCertificateFile is { } file ? new NbdCertificate(file, options.NbdKeyFile!, LogTold).Current : null,
        };
    }

    /// <summary>Where it listens, as clients are told: HOST:PORT, or unix:PATH. Only after the start.</summary>
    public string Where => _server!.Where;

    /// <summary>The door that the node was told of; null where it was told of none. Throws <see cref="StartupException"/>: its certificate is no good.</summary>
    public static DiskDoor? Open(VmoNodeOptions options, IServiceProvider services)
    {
        try
        {
            return options.Nbd is { } where ? new DiskDoor(where, options, services) : null;
        }
        catch (NbdSetupException failure)
        {
            throw new StartupException($"--nbd: {failure.Message}", failure);
        }
    }

    /// <summary>Begins to listen. Throws <see cref="StartupException"/>: the place is taken.</summary>
    public void Start(IHostApplicationLifetime lifetime)
    {
        try
        {
            _server = NbdServer.Listen(_where, _client, _options, LogTold);
        }
        catch (NbdSetupException failure)
        {
            throw new StartupException($"--nbd: {failure.Message}", failure);
        }

        lifetime.ApplicationStopping.Register(() => _ = _server.DisposeAsync().AsTask());
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await _client.DisposeAsync();
    }

    [LoggerMessage(LogLevel.Information, "NBD: {What}")]
    private partial void LogTold(string what);
}
