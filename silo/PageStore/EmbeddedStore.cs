using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Garnet;
using Microsoft.Extensions.Logging;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Garnet in this process: the store of a single node that needs no installation. An acknowledged commit survives kill -9 (the append-only
/// file is written before the answer: COMMITAOF, one for all commits that wait), not a power failure (nothing calls fsync). It listens on a free loopback port behind a password
/// that is new with each start, so other users of the machine cannot read pages.
/// </summary>
public sealed class EmbeddedStore : IAsyncDisposable
{
    private const long MemoryBytesLeast = 64L << 20;
    private const int PortTries = 8;
    private const int SegmentMiB = 64;
    private const long UncompactedBytesLeast = 2L << 30;

    private readonly StoreFolder _folder;
    private readonly GarnetServer _server;
    private readonly EmbeddedStoreOptions _options;

    private EmbeddedStore(StoreFolder folder, GarnetServer server, EmbeddedStoreOptions options, int port, string password)
    {
        (_folder, _server, _options) = (folder, server, options);
        Configuration = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port},password={password}");
    }

    /// <summary>A StackExchange.Redis configuration for it. Holds the password: not to be logged.</summary>
    public string Configuration { get; }

    /// <summary>Whether the folder was made by this start. If not, every session in it is of a process that is dead: we hold its lock.</summary>
    public bool FolderIsFresh => _folder.IsFresh;

    /// <summary>Whether the disk has less room than <see cref="EmbeddedStoreOptions.FreeBytesLeast"/>.</summary>
    public bool IsDiskNearlyFull() => _folder.FreeBytes < _options.FreeBytesLeast;

    /// <summary>Locks the folder, recovers what is in it, and serves. Throws <see cref="StoreException"/> whose message says what to do.</summary>
    public static EmbeddedStore Start(EmbeddedStoreOptions options, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.MemoryBytes < MemoryBytesLeast)
            throw new StoreException(VmoStatus.Io, $"The embedded store needs at least {MemoryBytesLeast} bytes of memory; {options.MemoryBytes} were given.");
        var folder = StoreFolder.Open(options.Folder, options.FreeBytesLeast);
        try
        {
            var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            var (server, port) = StartServer(folder, options, password, loggers);
            PageStoreLog.EmbeddedStarted(loggers.CreateLogger<EmbeddedStore>(), folder.Path);
            return new(folder, server, options, port, password);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private static (GarnetServer Server, int Port) StartServer(StoreFolder folder, EmbeddedStoreOptions options, string password, ILoggerFactory loggers)
    {
        for (var tries = 1; ; tries++)
        {
            var port = FreePort();
            GarnetServer? server = null;
            try
            {
                server = new GarnetServer(Arguments(folder, options, password, port), loggers);
                server.Start();
                return (server, port);
            }
            catch (Exception error) when (IsPortTaken(error) && tries < PortTries)
            {
                // Somebody took the port between our look and Garnet's bind.
                server?.Dispose();
            }
            catch (Exception error)
            {
                server?.Dispose();
                // Garnet throws its own kinds for a damaged log or a full disk; what matters is that the node does not start on a part of its data.
                throw folder.FreeBytes < options.FreeBytesLeast
                    ? StoreFolder.NoRoom(folder.Path, error)
                    : new StoreException(
                        VmoStatus.DataIntegrity, $"The embedded store cannot recover what is in {folder.Path}: {error.Message} Keep the folder as it is and look into it.", error);
            }
        }
    }

    private static string[] Arguments(StoreFolder folder, EmbeddedStoreOptions options, string password, int port) =>
    [
        "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--auth", "Password", "--password", password,
        "-q", "true", "--disable-console-logger", "true",
        // decisions/0001 says why each of these, with measurements.
        "--device-type", "RandomAccess",
        "--memory", Bytes(options.MemoryBytes), "--page", "4m", "--segment", $"{SegmentMiB}m", "--object-log-segment", $"{SegmentMiB}m", "--index", "16m",
        "--compaction-type", "Lookup", "--compaction-max-segments", Segments(folder, options),
        "--storage-tier", "true", "--logdir", folder.Logs, "--checkpointdir", folder.Checkpoints, "--recover", "true",
        "--fail-on-recovery-error", "true",
        "--aof", "true", "--aof-memory", "32m", "--aof-page-size", "8m", "--aof-segment-size", "64m",
        "--aof-commit-freq", "250",
        "--aof-size-limit", Bytes(options.LogBytesMax), "--aof-size-limit-enforce-frequency", "1",
        "--lua", "true", "--lua-transaction-mode", "true",
    ];

    private static string Bytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20}m");

    private static string Segments(StoreFolder folder, EmbeddedStoreOptions options)
    {
        var bytes = options.UncompactedBytes ?? Math.Max(UncompactedBytesLeast, folder.FreeBytes / 4);
        return Math.Clamp(bytes / (SegmentMiB << 20), 1, int.MaxValue).ToString(CultureInfo.InvariantCulture);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool IsPortTaken(Exception error)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            if (cause is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse })
                return true;
        }

        return false;
    }
}
