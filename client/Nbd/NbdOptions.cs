using System.Net.Security;

namespace VmoCluster.NbdDoor;

/// <summary>How exports are served, and what one client may take.</summary>
public sealed record NbdOptions
{
    /// <summary>For how long what a client asks for is tried while a silo or the store is away; then it fails with EIO. Default 30 s, at most 60 s.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The server's certificate with its key and its chain, asked for with each TLS handshake. Default none: TLS is not offered. With one it is required.</summary>
    public Func<SslStreamCertificateContext>? Certificate { get; init; }

    /// <summary>Connections at once; one more is closed. Default 4096; each has 64 KiB of buffer, one in use 128 KiB and its requests.</summary>
    public int ConnectionsMax { get; init; } = 4096;

    /// <summary>Requests of one connection under way; the next is not read before one has been answered and its answer sent. Default 256, at least 2: a large write is one, and its pieces are others.</summary>
    public int RequestsMax { get; init; } = 256;

    /// <summary>Bytes of their payloads. One that is larger by itself goes alone. Default 8 MiB, at least 1 MiB: a piece of a large write.</summary>
    public int PayloadBytesMax { get; init; } = 8 << 20;

    /// <summary>
    /// Bytes of payloads of all connections together, beyond 64 KiB that each has by itself; who finds no room waits, the first that came first. Default 256 MiB, at least 32 MiB: the largest read.
    /// </summary>
    public long PayloadBytesMaxOfAll { get; init; } = 256 << 20;

    /// <summary>When others have waited so long for that room, connections that have some of it and whose clients have taken no byte for as long are ended. Default 10 s.</summary>
    public TimeSpan StalledWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may take to agree on an export, the time apart in which its VMO is opened. Default 10 s.</summary>
    public TimeSpan HandshakeWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// What is refused is refused this long after it was asked, or a multiple of it, whatever the reason, so that the time does not tell a handle that was
    /// revoked from one that never was. Default 250 ms.
    /// </summary>
    public TimeSpan RefusalStep { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>What a connection is given to end when the server does, or its handle, and then to take its last answers. Default 1 s.</summary>
    internal TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The clock of these.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
