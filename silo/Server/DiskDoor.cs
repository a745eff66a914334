using System.Net;
using System.Net.Sockets;
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
    private readonly NbdOptions _options;
    private readonly ILogger<NbdServer> _logger;
    private NbdServer? _server;

    private DiskDoor(EndPoint where, VmoClient client, NbdOptions options, ILogger<NbdServer> logger) =>
        (_where, _client, _options, _logger) = (where, client, options, logger);

    /// <summary>Where it listens, as clients are told: HOST:PORT, or unix:PATH. Only after the start.</summary>
    public string Where => _server!.EndPoint is IPEndPoint network ? network.ToString() : $"unix:{_server.EndPoint}";

    /// <summary>The door that the node was told of; null where it was told of none. Throws <see cref="StartupException"/>: its certificate is no good, or its path is taken.</summary>
    public static DiskDoor? Open(VmoNodeOptions options, IServiceProvider services)
    {
        if (options.Nbd is not { } where)
        {
            return null;
        }

        if (where is UnixDomainSocketEndPoint unix)
        {
            RequireFree(unix);
        }

        NbdCertificate? certificate = null;
        if (options.NbdCertificateFile is { } file)
        {
            certificate = new NbdCertificate(file, options.NbdKeyFile!, services.GetRequiredService<ILogger<NbdCertificate>>());
        }

        var patience = TimeSpan.FromSeconds(options.NbdPatienceSeconds);
        return new(
            where, new VmoClient(services.GetRequiredService<ITransport>(), new()), new() { Patience = patience, Certificate = certificate is null ? null : certificate.Current },
            services.GetRequiredService<ILogger<NbdServer>>());
    }

    public void Start(IHostApplicationLifetime lifetime)
    {
        _server = NbdServer.Listen(_where, _client, _options, LogEnded);
        lifetime.ApplicationStopping.Register(() => _ = _server.DisposeAsync().AsTask());
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    // Whatever is there is nobody's to remove who cannot tell what it is.
    private static void RequireFree(UnixDomainSocketEndPoint unix)
    {
        var path = unix.ToString()!;
        if (!File.Exists(path))
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(unix);
        }
        catch (SocketException failure)
        {
            throw new StartupException($"--nbd unix:{path}: something is there, of a node that was killed or of somebody else ({failure.SocketErrorCode}); remove it, or name another path");
        }

        throw new StartupException($"--nbd unix:{path}: another process listens there; stop it, or name another path");
    }

    [LoggerMessage(LogLevel.Information, "NBD: {Why}")]
    private partial void LogEnded(string why);
}
