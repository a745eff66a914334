using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>A client that sends what it likes. What it waits for comes within a while, or fails the test.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private Stream _stream;

    public RawClient(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _stream = new NetworkStream(_socket);
    }

    /// <summary>Whether something has come that nobody has received.</summary>
    public bool HasUnread => _socket.Available > 0;

    public async Task SendAsync(params byte[][] parts)
    {
        var (all, at) = (new byte[parts.Sum(part => part.Length)], 0);
        foreach (var part in parts)
        {
            part.CopyTo(all, at);
            at += part.Length;
        }

        await _stream.WriteAsync(all);
    }

    public async Task<byte[]> ReceiveAsync(int count)
    {
        var bytes = new byte[count];
        using var patience = new CancellationTokenSource(Patience);
        await _stream.ReadExactlyAsync(bytes, patience.Token);
        return bytes;
    }

    /// <summary>Whether the server has ended the connection; what it still sends is let go.</summary>
    public async Task<bool> IsEndedAsync()
    {
        var bytes = new byte[4096];
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            while (await _stream.ReadAsync(bytes, patience.Token) > 0)
            {
            }

            return true;
        }
        catch (IOException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Waits until the server has said all, and that it has. A connection that is reset may have lost some of it, and is an <see cref="IOException"/>.</summary>
    public async Task EndWellAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var unread = new byte[4096];
        while (await _stream.ReadAsync(unread, patience.Token) > 0)
        {
        }
    }

    /// <summary>Goes on under TLS with a server that the authority of a folder (<see cref="TestAuthority"/>) knows.</summary>
    public async Task SecureAsync(string authority)
    {
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(await AskAsync(NbdOption.StartTls)).Kind);
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPemFile(Path.Combine(authority, "ca-cert.pem"));
        var tls = new SslStream(_stream);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = trust });
        _stream = tls;
    }

    /// <summary>Nothing more will be sent.</summary>
    public void Finish() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>The greeting, answered with the flags of a client of today.</summary>
    public async Task GreetAsync()
    {
        await ReceiveAsync(18);
        await SendAsync(U32(3));
    }

    /// <summary>An option, and the kinds of all its replies up to the last, each with its data.</summary>
    public async Task<List<(NbdOptionReply Kind, byte[] Data)>> AskAsync(NbdOption option, params byte[][] data)
    {
        await SendAsync(Option(option, data));
        var replies = new List<(NbdOptionReply, byte[])>();
        while (true)
        {
            var head = await ReceiveAsync(20);
            Assert.Equal(NbdNumbers.OptionReplyMagic, BinaryPrimitives.ReadUInt64BigEndian(head));
            Assert.Equal((uint)option, BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8)));
            var kind = (NbdOptionReply)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12));
            replies.Add((kind, await ReceiveAsync((int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16)))));
            if (kind is not (NbdOptionReply.Info or NbdOptionReply.MetaContext or NbdOptionReply.Server))
                return replies;
        }
    }

    /// <summary>A client that has agreed on an export.</summary>
    public static async Task<RawClient> OpenAsync(string path, string name, bool isStructured = false, string? authority = null)
    {
        var client = new RawClient(path);
        await client.GreetAsync();
        if (authority is not null)
            await client.SecureAsync(authority);
        if (isStructured)
            Assert.Equal(NbdOptionReply.Ack, Assert.Single(await client.AskAsync(NbdOption.StructuredReply)).Kind);
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, Text(name), U16(0)))[^1].Kind);
        return client;
    }

    /// <summary>A simple reply's error and cookie.</summary>
    public async Task<(NbdError Error, ulong Cookie)> ReceiveSimpleAsync()
    {
        var head = await ReceiveAsync(NbdNumbers.SimpleReplyBytes);
        Assert.Equal(NbdNumbers.SimpleReplyMagic, BinaryPrimitives.ReadUInt32BigEndian(head));
        return ((NbdError)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(4)), BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)));
    }

    /// <summary>One chunk of a structured reply.</summary>
    public async Task<(NbdChunk Kind, bool IsLast, ulong Cookie, byte[] Data)> ReceiveChunkAsync()
    {
        var head = await ReceiveAsync(NbdNumbers.ChunkBytes);
        Assert.Equal(NbdNumbers.StructuredReplyMagic, BinaryPrimitives.ReadUInt32BigEndian(head));
        return (
            (NbdChunk)BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(6)), BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4)) == NbdNumbers.ChunkDone,
            BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)), await ReceiveAsync((int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16))));
    }

    public static byte[] Option(NbdOption option, params byte[][] data) =>
        [.. U64(NbdNumbers.OptionMagic), .. U32((uint)option), .. U32((uint)data.Sum(part => part.Length)), .. data.SelectMany(part => part)];

    public static byte[] Request(NbdCommand command, ulong offset, uint length, ulong cookie = 1, NbdCommandFlags flags = 0) =>
        [.. U32(NbdNumbers.RequestMagic), .. U16((ushort)flags), .. U16((ushort)command), .. U64(cookie), .. U64(offset), .. U32(length)];

    /// <summary>A length of four bytes, and the text.</summary>
    public static byte[] Text(string text) => [.. U32((uint)Encoding.UTF8.GetByteCount(text)), .. Encoding.UTF8.GetBytes(text)];

    /// <summary>A page that tells a number, all over.</summary>
    public static byte[] PageOf(ulong number) => [.. Enumerable.Repeat(U64(number), Limits.PageBytes / sizeof(ulong)).SelectMany(bytes => bytes)];

    public static byte[] U16(ushort value)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
        return bytes;
    }

    public static byte[] U32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    public static byte[] U64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }
}
