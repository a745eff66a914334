using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using VmoCluster.PageStore;

namespace VmoCluster.Hosting.Settings;

/// <summary>All settings of a node: the help, the unknown-key check and the reading all go by this list.</summary>
internal static class NodeSettings
{
    private const string AnyText = "must not be empty";
    private const string Bytes = "must be a number of bytes, such as 67108864 or 64MiB";
    private const int CountMost = 1_000_000;
    private const string Port = "must be a port: 0 (a free one) to 65535";
    private const string Endpoint = "must be HOST:PORT, such as 127.0.0.1:7070; HOST is an IP address or localhost, port 0 is a free one";

    public static IReadOnlyList<NodeSetting> All { get; } =
    [
        new("Data", "--data", "DIR", "data folder: embedded store, operator's credential (./vmo-data)", Text((o, v) => o.Data = v)),
        new("Redis", "--redis", "CONFIG", "join the cluster on this Redis (StackExchange.Redis configuration) instead", Text((o, v) => o.Redis = v)),
        new("RedisPassword", null, "TEXT", "Redis' password", Text((o, v) => o.RedisPassword = v)),
        new("RedisPasswordFile", "--redis-password-file", "FILE", "file whose first line is Redis' password", Text((o, v) => o.RedisPasswordFile = v)),
        new("RedisCa", "--redis-ca", "FILE", "PEM file: who may have issued Redis' TLS certificate (the machine's authorities)", Text((o, v) => o.RedisCa = v)),
        new("Prefix", "--prefix", "TEXT", "what every key in Redis begins with; one per cluster (vmo:)", Text((o, v) => o.Prefix = v)),
        new("Durability", "--durability", "LEVEL", "what an acknowledged write survives: primary or replicas:N (primary)", (o, v) =>
        {
            var isGood = Durability.TryParse(v, out var durability);
            o.Durability = durability;
            return isGood ? null : "must be primary or replicas:N with N from 1 to 5";
        }),
        new("StoreId", "--store-id", "ID", "refuse every store but this", Text((o, v) => o.StoreId = v)),
        new("AcceptStore", "--accept-store", "ID", "take this store (new: an emptied one) although DIR remembers another or a later one; for one start", (o, v) =>
        {
            o.AcceptStore = v.ToLowerInvariant();
            return o.AcceptStore == "new" || (v.Length == 32 && v.All(char.IsAsciiHexDigit)) ? null : "must be a store's id, 32 hexadecimal digits, or new";
        }),
        new("Listen", "--listen", "HOST:PORT", "gRPC, HTTP/2 without TLS (127.0.0.1:7070)", EndPointOf((o, v) => o.Listen = v)),
        new("Http", "--http", "HOST:PORT", "metrics and health, HTTP/1.1 (127.0.0.1:7071)", EndPointOf((o, v) => o.Http = v)),
        new("Nbd", "--nbd", "WHERE", "VMOs as disks over NBD: HOST:PORT, unix:PATH, or none (127.0.0.1:10809)", NbdOf((o, v) => o.Nbd = v)),
        new("NbdCertificate", "--nbd-certificate", "FILE", "PEM certificate for NBD; TLS is required there with it", Text((o, v) => o.NbdCertificateFile = v)),
        new("NbdKey", "--nbd-key", "FILE", "PEM key of that certificate", Text((o, v) => o.NbdKeyFile = v)),
        new("NbdPatience", "--nbd-patience", "SECONDS", "how long NBD tries while a silo or the store is away, before EIO (30)", (o, v) =>
        {
            var isGood = int.TryParse(v, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 1 and <= Limits.DeadlineMaxMs / 1000;
            o.NbdPatienceSeconds = seconds;
            return isGood ? null : $"must be a whole number of seconds from 1 to {Limits.DeadlineMaxMs / 1000}";
        }),
        new("Address", "--address", "IP", "address under which other silos reach this one (127.0.0.1)", (o, v) =>
        {
            var isGood = IPAddress.TryParse(v, out var address) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any);
            o.Address = address ?? o.Address;
            return isGood ? null : "must be an IP address other silos can connect to, such as 10.0.0.7";
        }),
        new("SiloPort", "--silo-port", "N", "port between silos, 0 = a free one (0)", PortOf((o, v) => o.SiloPort = v)),
        new("GatewayPort", "--gateway-port", "N", "port for Orleans clients outside the silos, 0 = a free one (none)", PortOf((o, v) => o.GatewayPort = v)),
        new("SiloName", "--silo-name", "TEXT", "this silo's name in logs and traces (host name and process id)", Text((o, v) => o.SiloName = v)),
        new("ClusterId", "--cluster-id", "TEXT", "Orleans cluster id (made from the store's id)", Text((o, v) => o.ClusterId = v)),
        new("PageCache", "--page-cache", "BYTES", "memory for pages (64MiB)", BytesOf(1 << 20, (o, v) => o.PageCacheBytes = v)),
        new("MapCache", "--map-cache", "BYTES", "memory for slot maps (128MiB)", BytesOf(1 << 20, (o, v) => o.MapBytes = v)),
        new("GrantCache", "--grant-cache", "BYTES", "memory for what live parents show (128MiB)", BytesOf(16 << 20, (o, v) => o.GrantBytes = v)),
        new("Calls", "--calls", "N", "calls under way at once, at the door and at the VMOs; more are told to wait (8192)", CountOf(Limits.JoinCallsMax, (o, v) => o.Calls = v)),
        new("CallMemory", "--call-memory", "BYTES", "memory for their pages, at the door and at the VMOs (128MiB)", BytesOf(16 << 20, (o, v) => o.CallBytes = v)),
        new("StoreCalls", "--store-calls", "N", "changes, and reads, on their way to the store at once; more wait here (1024)", CountOf(1, (o, v) => o.StoreCalls = v)),
        new("StoreMemory", "--store-memory", "BYTES", "memory for what is on its way to the store (64MiB)", BytesOf(4 << 20, (o, v) => o.StoreBytes = v)),
        new("EmbeddedMemory", "--embedded-memory", "BYTES", "memory of the embedded store; older data is on disk (256MiB)", BytesOf(64 << 20, (o, v) => o.EmbeddedBytes = v)),
        new("OperatorFile", "--operator-file", "FILE", "operator's credential, created if absent (DIR/operator)", Text((o, v) => o.OperatorFile = v)),
        new("AllowUnauthenticated", "--allow-unauthenticated", "", "listen beyond loopback although nobody is authenticated (no)", (o, v) =>
        {
            var isGood = bool.TryParse(v, out var allow);
            o.AllowUnauthenticated = allow;
            return isGood ? null : "must be true or false";
        }),
        new("LogLevel", "--log-level", "LEVEL", "trace, debug, information, warning, error, critical, none (information)", (o, v) =>
        {
            var isGood = Enum.TryParse<LogLevel>(v, ignoreCase: true, out var level) && Enum.IsDefined(level) && !char.IsAsciiDigit(v[0]);
            o.LogLevel = level;
            return isGood ? null : "must be one of trace, debug, information, warning, error, critical, none";
        }),
        new("TraceRatio", "--trace-ratio", "R", "share of untraced callers' requests that are traced, 0 to 1 (0.02)", (o, v) =>
        {
            var isGood = double.TryParse(v, NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1;
            o.TraceRatio = ratio;
            return isGood ? null : "must be a number from 0 to 1";
        }),
    ];

    private static Func<VmoNodeOptions, string, string?> Text(Action<VmoNodeOptions, string> set) => (options, text) =>
    {
        set(options, text);
        return text.Length == 0 ? AnyText : null;
    };

    private static Func<VmoNodeOptions, string, string?> PortOf(Action<VmoNodeOptions, int> set) => (options, text) =>
    {
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > IPEndPoint.MaxPort)
        {
            return Port;
        }

        set(options, port);
        return null;
    };

    private static Func<VmoNodeOptions, string, string?> CountOf(int least, Action<VmoNodeOptions, int> set) => (options, text) =>
    {
        var isGood = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= least && count <= CountMost;
        set(options, count);
        return isGood ? null : $"must be a whole number from {least} to {CountMost}";
    };

    private static Func<VmoNodeOptions, string, string?> BytesOf(long least, Action<VmoNodeOptions, long> set) => (options, text) =>
    {
        if (ByteCount.Parse(text) is not { } bytes)
        {
            return Bytes;
        }

        set(options, bytes);
        return bytes < least ? $"must be at least {least >> 20}MiB" : null;
    };

    private static Func<VmoNodeOptions, string, string?> NbdOf(Action<VmoNodeOptions, EndPoint?> set)
    {
        const string Unix = "unix:";
        var network = EndPointOf((options, endpoint) => set(options, endpoint));
        return (options, text) =>
        {
            if (text == "none")
            {
                set(options, null);
                return null;
            }

            if (!text.StartsWith(Unix, StringComparison.Ordinal))
            {
                return network(options, text) is null ? null : $"{Endpoint}; or unix:PATH, or none";
            }

            // sun_path, with its NUL.
            if (text.Length == Unix.Length || System.Text.Encoding.UTF8.GetByteCount(text) - Unix.Length > 107)
            {
                return "must be unix: and the path of a socket, at most 107 bytes";
            }

            set(options, new System.Net.Sockets.UnixDomainSocketEndPoint(text[Unix.Length..]));
            return null;
        };
    }

    private static Func<VmoNodeOptions, string, string?> EndPointOf(Action<VmoNodeOptions, IPEndPoint> set) => (options, text) =>
    {
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > IPEndPoint.MaxPort)
        {
            return Endpoint;
        }

        var address = host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(host, out var parsed) ? parsed : null;
        if (address is null || (host.Contains(':', StringComparison.Ordinal) && !host.StartsWith('[')))
        {
            return Endpoint;
        }

        set(options, new(address, port));
        return null;
    };
}
