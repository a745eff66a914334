using System.Net;
using Microsoft.Extensions.Logging;
using VmoCluster.PageStore;

namespace VmoCluster.Hosting.Settings;

/// <summary>
/// What a node is told. Every setting is an option of the command line, a variable of the environment (<c>Vmo__Key</c>) and a key of the
/// configuration file (<c>{"Vmo": {"Key": ...}}</c>), in this order of strength; <see cref="NodeSettings"/> lists them.
/// </summary>
public sealed class VmoNodeOptions
{
    /// <summary>The data folder: the embedded store's files and the operator's credential. Created if absent. Default <c>./vmo-data</c>.</summary>
    public string Data { get; set; } = "./vmo-data";

    /// <summary>
    /// A StackExchange.Redis configuration string. With it this node is a member of the cluster that lives there, and there is no embedded
    /// store. Default none: a single node on the embedded store.
    /// </summary>
    public string? Redis { get; set; }

    /// <summary>Redis' password. Only by environment or configuration file, so that no process list shows it.</summary>
    public string? RedisPassword { get; set; }

    /// <summary>A file whose first line is Redis' password.</summary>
    public string? RedisPasswordFile { get; set; }

    /// <summary>
    /// A PEM file with the certificates of the authorities that may have issued the certificate of a Redis over TLS (<c>ssl=true</c> in
    /// <see cref="Redis"/>); no other is trusted then. Default none: the machine's own decide.
    /// </summary>
    public string? RedisCa { get; set; }

    /// <summary>What every key in Redis begins with. Two clusters on one Redis differ in it. Default <c>vmo:</c>.</summary>
    public string Prefix { get; set; } = "vmo:";

    /// <summary>What an acknowledged write survives: <c>primary</c>, or <c>replicas:N</c> that acknowledge it first. All silos alike. Default primary.</summary>
    public Durability Durability { get; set; } = Durability.Primary;

    /// <summary>The id of the store this node may use, as told by a node's start; any other is refused. Default: whatever is found.</summary>
    public string? StoreId { get; set; }

    /// <summary>
    /// The id of a store this node takes although its data folder remembers another one, or a later state of it; <c>new</c> for one without identity,
    /// that was emptied. For one start. Default: none is taken.
    /// </summary>
    public string? AcceptStore { get; set; }

    /// <summary>Where gRPC listens: HTTP/2 without TLS. Default 127.0.0.1:7070; port 0 is a free one.</summary>
    public IPEndPoint Listen { get; set; } = new(IPAddress.Loopback, 7070);

    /// <summary>Where HTTP/1.1 listens: metrics and health. Default 127.0.0.1:7071; port 0 is a free one.</summary>
    public IPEndPoint Http { get; set; } = new(IPAddress.Loopback, 7071);

    /// <summary>Where NBD listens: an address and port, 0 being a free one, or a unix socket; null is nowhere. Default 127.0.0.1:10809, NBD's own port.</summary>
    public EndPoint? Nbd { get; set; } = new IPEndPoint(IPAddress.Loopback, 10809);

    /// <summary>A PEM file with the certificate, and its chain, that NBD shows under TLS. With one TLS is required there. Read anew when it changes. Default none.</summary>
    public string? NbdCertificateFile { get; set; }

    /// <summary>A PEM file with that certificate's key.</summary>
    public string? NbdKeyFile { get; set; }

    /// <summary>Seconds for which NBD tries what a client asks while the VMO's silo or the store is away, before it says EIO. Default 30, at most 60.</summary>
    public int NbdPatienceSeconds { get; set; } = 30;

    /// <summary>The address under which other silos reach this one. Default 127.0.0.1: all silos on one machine.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>The port between silos. 0, the default, is a free one.</summary>
    public int SiloPort { get; set; }

    /// <summary>
    /// The port for Orleans clients outside the silos; 0 is a free one. Default none: everything that reaches it is inside the cluster's
    /// trust, so it is opened only where it is used.
    /// </summary>
    public int? GatewayPort { get; set; }

    /// <summary>This silo's name in logs and traces. Default host name and process id.</summary>
    public string SiloName { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    /// <summary>The Orleans cluster id. Default: made from the store's id, so that silos of different stores never speak to each other.</summary>
    public string? ClusterId { get; set; }

    /// <summary>Bytes of pages this silo keeps in memory, all VMOs together. Default 64 MiB; more makes more reads warm.</summary>
    public long PageCacheBytes { get; set; } = 64L << 20;

    /// <summary>Bytes of slot maps this silo keeps in memory, all VMOs together. Default 128 MiB; about 30 bytes a page
    /// where pages lie side by side, 450 where they are scattered. What is over it is loaded again when it is needed.</summary>
    public long MapBytes { get; set; } = 128L << 20;

    /// <summary>Bytes of what live ancestors on any silo have granted this one to show, all VMOs together. Default 128 MiB; about a kilobyte an ancestor
    /// and MiB of it that is looked at, and 40 bytes a page that it shows. What is over it is asked for again when it is needed.</summary>
    public long GrantBytes { get; set; } = 128L << 20;

    /// <summary>Calls under way at once, at this node's door and at its VMOs. More are told to wait. Default 8192, at least those of one message, 64.</summary>
    public int Calls { get; set; } = 8192;

    /// <summary>Bytes of pages of the calls under way, at this node's door and at its VMOs. More are told to wait. Default 128 MiB each.</summary>
    public long CallBytes { get; set; } = 128L << 20;

    /// <summary>Changes, and reads, on their way to the store at once; more wait in the node. Default 1024 each.</summary>
    public int StoreCalls { get; set; } = 1024;

    /// <summary>Bytes of these changes, and of these reads; more wait in the node. Default 64 MiB each.</summary>
    public long StoreBytes { get; set; } = 64L << 20;

    /// <summary>Bytes of data the embedded store holds in memory; older data is read from its folder. Default 256 MiB. Not used with Redis.</summary>
    public long EmbeddedBytes { get; set; } = 256L << 20;

    /// <summary>The file with the operator's credential, created if absent. Default <c>operator</c> in the data folder.</summary>
    public string? OperatorFile { get; set; }

    /// <summary>
    /// Lets the node listen on other addresses than loopback although it authenticates nobody. Whoever reaches the port can create VMOs and
    /// use every handle it knows; a network policy must stand before it. Default no.
    /// </summary>
    public bool AllowUnauthenticated { get; set; }

    /// <summary>The least level of what is logged to stderr. Default information; other libraries' below warning only from debug on.</summary>
    public LogLevel LogLevel { get; set; } = LogLevel.Information;

    /// <summary>The share of requests without a caller's trace that are traced, 0 to 1. Default 0.02; a traced call costs about 8 us.</summary>
    public double TraceRatio { get; set; } = 0.02;

    /// <summary>Whether this node is alone on an embedded store.</summary>
    public bool IsEmbedded => Redis is null;

    /// <summary>The operator's credential file, wherever it is.</summary>
    public string OperatorPath => OperatorFile ?? Path.Combine(Data, "operator");
}
