using System.Buffers.Binary;
using System.Net.Security;
using System.Security.Authentication;
using System.Text;
using VmoCluster.Client;
using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Handshake;

/// <summary>
/// The handshake with one client (NBD protocol, "Fixed newstyle negotiation"): options until one of them opens an export. Whoever breaks the protocol is
/// a <see cref="ProtocolException"/>, and whoever leaves an <see cref="EndOfStreamException"/>; both end the connection.
/// </summary>
internal sealed class Negotiation(Stream stream, VmoClient client, NbdOptions options, HandshakeTime within)
{
    private Stream _stream = stream;
    private NbdInput _input = new(stream);
    private bool _isSecret;
    private bool _isStructured;
    private bool _hasNoZeroes;

    // What was asked for of which export; another export opened afterwards has none of it.
    private byte[] _contextsOf = [];
    private IReadOnlyList<MetaContext> _contexts = [];

    /// <summary>The connection, under TLS where that was agreed on.</summary>
    public Stream Stream => _stream;

    /// <summary>What was agreed on; null when the client left without an export.</summary>
    public async Task<Agreement?> RunAsync(CancellationToken cancellation)
    {
        var greeting = new byte[18];
        BinaryPrimitives.WriteUInt64BigEndian(greeting, NbdNumbers.Greeting);
        BinaryPrimitives.WriteUInt64BigEndian(greeting.AsSpan(8), NbdNumbers.OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(greeting.AsSpan(16), NbdNumbers.FixedNewstyle | NbdNumbers.NoZeroes);
        await _stream.WriteAsync(greeting, cancellation).ConfigureAwait(false);

        if (await _input.TryReadAsync(4, cancellation).ConfigureAwait(false) is not { } answered)
            return null;
        var flags = BinaryPrimitives.ReadUInt32BigEndian(answered.Span);
        if ((flags & ~(uint)(NbdNumbers.FixedNewstyle | NbdNumbers.NoZeroes)) != 0)
            throw new ProtocolException($"client flags {flags:x}: only {NbdNumbers.FixedNewstyle | NbdNumbers.NoZeroes:x} are known");
        _hasNoZeroes = (flags & NbdNumbers.NoZeroes) != 0;
        for (var count = 0; count < NbdNumbers.OptionsMax; count++)
        {
            if (await _input.TryReadAsync(16, cancellation).ConfigureAwait(false) is not { } head)
                return null;
            var (magic, option, length) = ReadHead(head.Span);
            if (magic != NbdNumbers.OptionMagic)
                throw new ProtocolException($"an option begins with {magic:x}");
            if (length > NbdNumbers.OptionBytesMax)
                throw new ProtocolException($"option {option} has {length} bytes; {NbdNumbers.OptionBytesMax} at most");
            var data = (await _input.ReadAsync((int)length, cancellation).ConfigureAwait(false)).ToArray();
            if (option == NbdOption.Abort)
            {
                await ReplyAsync(option, NbdOptionReply.Ack, [], cancellation).ConfigureAwait(false);
                return null;
            }

            if (await TakeAsync(option, data, cancellation).ConfigureAwait(false) is { } agreed)
                return agreed;
        }

        throw new ProtocolException($"{NbdNumbers.OptionsMax} options and no export");
    }

    private static (ulong Magic, NbdOption Option, uint Length) ReadHead(ReadOnlySpan<byte> head) =>
        (BinaryPrimitives.ReadUInt64BigEndian(head), (NbdOption)BinaryPrimitives.ReadUInt32BigEndian(head[8..]), BinaryPrimitives.ReadUInt32BigEndian(head[12..]));

    private async Task<Agreement?> TakeAsync(NbdOption option, byte[] data, CancellationToken cancellation)
    {
        if (options.Certificate is not null && !_isSecret && option is not NbdOption.StartTls)
        {
            // EXPORT_NAME has no way to say no but the end.
            if (option == NbdOption.ExportName)
                throw new ProtocolException("an export was asked for without TLS, which is required here");
            await ReplyAsync(option, NbdOptionReply.TlsRequired, "TLS is required here"u8, cancellation).ConfigureAwait(false);
            return null;
        }

        switch (option)
        {
            case NbdOption.ExportName:
                return await ExportAsync(data, cancellation).ConfigureAwait(false);
            case NbdOption.Info or NbdOption.Go:
                return await InfoAsync(option, data, cancellation).ConfigureAwait(false);
            // Handles are secrets: nobody is told of any.
            case NbdOption.List when data.Length == 0:
                await ReplyAsync(option, NbdOptionReply.Ack, [], cancellation).ConfigureAwait(false);
                return null;
            case NbdOption.StructuredReply when data.Length == 0:
                _isStructured = true;
                await ReplyAsync(option, NbdOptionReply.Ack, [], cancellation).ConfigureAwait(false);
                return null;
            case NbdOption.StartTls when data.Length == 0:
                await StartTlsAsync(cancellation).ConfigureAwait(false);
                return null;
            case NbdOption.ListMetaContext or NbdOption.SetMetaContext:
                await ContextsAsync(option, data, cancellation).ConfigureAwait(false);
                return null;
            case NbdOption.List or NbdOption.StructuredReply or NbdOption.StartTls:
                await ReplyAsync(option, NbdOptionReply.Invalid, "this option has no data"u8, cancellation).ConfigureAwait(false);
                return null;
            default:
                await ReplyAsync(option, NbdOptionReply.Unsupported, [], cancellation).ConfigureAwait(false);
                return null;
        }
    }

    private async Task<Agreement> ExportAsync(byte[] name, CancellationToken cancellation)
    {
        var found = await OpenAsync(name, cancellation).ConfigureAwait(false);
        if (found.Disk is not { } disk)
            throw new ProtocolException("an export was asked for that there is not");
        var answer = new byte[_hasNoZeroes ? 10 : 134];
        BinaryPrimitives.WriteUInt64BigEndian(answer, disk.SizeBytes);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(8), (ushort)FlagsOf(disk));
        await _stream.WriteAsync(answer, cancellation).ConfigureAwait(false);
        return Agree(disk, name);
    }

    private async Task<Agreement?> InfoAsync(NbdOption option, byte[] data, CancellationToken cancellation)
    {
        var reader = new OptionReader(data);
        if (!reader.TryReadText(out var name) || !reader.TryReadUInt16(out var count) || !reader.TryReadUInt16s(count, out var asked) || !reader.IsAtEnd)
        {
            await ReplyAsync(option, NbdOptionReply.Invalid, "the option's data is not a name and a list of infos"u8, cancellation).ConfigureAwait(false);
            return null;
        }

        var found = await OpenAsync(name, cancellation).ConfigureAwait(false);
        if (found.Disk is not { } disk)
        {
            await ReplyAsync(option, found.Refusal, Encoding.UTF8.GetBytes(found.Why), cancellation).ConfigureAwait(false);
            return null;
        }

        var export = new byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(export, (ushort)NbdInfo.Export);
        BinaryPrimitives.WriteUInt64BigEndian(export.AsSpan(2), disk.SizeBytes);
        BinaryPrimitives.WriteUInt16BigEndian(export.AsSpan(10), (ushort)FlagsOf(disk));
        await ReplyAsync(option, NbdOptionReply.Info, export, cancellation).ConfigureAwait(false);
        if (asked.Contains((ushort)NbdInfo.BlockSize))
        {
            var sizes = new byte[14];
            BinaryPrimitives.WriteUInt16BigEndian(sizes, (ushort)NbdInfo.BlockSize);
            BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(2), 1);
            BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(6), Limits.PageBytes);
            BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(10), NbdNumbers.PayloadBytesMax);
            await ReplyAsync(option, NbdOptionReply.Info, sizes, cancellation).ConfigureAwait(false);
        }

        if (asked.Contains((ushort)NbdInfo.Description) && disk.Name.Length > 0)
            await ReplyAsync(option, NbdOptionReply.Info, [0, (byte)NbdInfo.Description, .. Encoding.UTF8.GetBytes(disk.Name)], cancellation).ConfigureAwait(false);
        await ReplyAsync(option, NbdOptionReply.Ack, [], cancellation).ConfigureAwait(false);
        return option == NbdOption.Go ? Agree(disk, name) : null;
    }

    private async Task StartTlsAsync(CancellationToken cancellation)
    {
        if (options.Certificate is null || _isSecret)
        {
            await ReplyAsync(NbdOption.StartTls, _isSecret ? NbdOptionReply.Invalid : NbdOptionReply.Unsupported, [], cancellation).ConfigureAwait(false);
            return;
        }

        // Whoever sits in between could have sent it, and have it taken for what comes under TLS.
        if (_input.HasMore)
            throw new ProtocolException("bytes were sent behind STARTTLS, before it was answered");
        await ReplyAsync(NbdOption.StartTls, NbdOptionReply.Ack, [], cancellation).ConfigureAwait(false);
        var tls = new SslStream(_stream);
        try
        {
            await tls.AuthenticateAsServerAsync(
                new() { ServerCertificateContext = options.Certificate(), EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 }, cancellation).ConfigureAwait(false);
        }
        catch (AuthenticationException failure)
        {
            throw new ProtocolException($"TLS was not agreed on: {failure.Message}");
        }

        // Nothing that was said without TLS counts.
        (_stream, _input, _isSecret, _isStructured) = (tls, new(tls), true, false);
        (_contextsOf, _contexts) = ([], []);
    }

    private async Task ContextsAsync(NbdOption option, byte[] data, CancellationToken cancellation)
    {
        if (option == NbdOption.SetMetaContext)
            (_contextsOf, _contexts) = ([], []);
        var reader = new OptionReader(data);
        if (!reader.TryReadText(out var name) || !reader.TryReadUInt32(out var count))
        {
            await ReplyAsync(option, NbdOptionReply.Invalid, "the option's data is not a name and a list of contexts"u8, cancellation).ConfigureAwait(false);
            return;
        }

        if (count > NbdNumbers.QueriesMax)
        {
            await ReplyAsync(option, NbdOptionReply.TooBig, Encoding.UTF8.GetBytes($"{count} contexts at once; {NbdNumbers.QueriesMax} at most"), cancellation).ConfigureAwait(false);
            return;
        }

        if (!reader.TryReadTexts((int)count, out var queries) || !reader.IsAtEnd)
        {
            await ReplyAsync(option, NbdOptionReply.Invalid, "the option's data is not a name and as many contexts as it says"u8, cancellation).ConfigureAwait(false);
            return;
        }

        if (!_isStructured)
        {
            await ReplyAsync(option, NbdOptionReply.Invalid, "contexts need structured replies"u8, cancellation).ConfigureAwait(false);
            return;
        }

        var found = await OpenAsync(name, cancellation).ConfigureAwait(false);
        if (found.Disk is null)
        {
            await ReplyAsync(option, found.Refusal, Encoding.UTF8.GetBytes(found.Why), cancellation).ConfigureAwait(false);
            return;
        }

        var chosen = option == NbdOption.ListMetaContext && queries.Count == 0
            ? MetaContext.All
            : [.. MetaContext.All.Where(context => queries.Any(query => context.Answers(query, isListing: option == NbdOption.ListMetaContext)))];
        foreach (var context in chosen)
        {
            var named = new byte[4 + context.Name.Length];
            BinaryPrimitives.WriteUInt32BigEndian(named, option == NbdOption.SetMetaContext ? context.Id : 0);
            Encoding.ASCII.GetBytes(context.Name, named.AsSpan(4));
            await ReplyAsync(option, NbdOptionReply.MetaContext, named, cancellation).ConfigureAwait(false);
        }

        if (option == NbdOption.SetMetaContext)
            (_contextsOf, _contexts) = (name, chosen);
        await ReplyAsync(option, NbdOptionReply.Ack, [], cancellation).ConfigureAwait(false);
    }

    // Each option asks anew: between INFO and GO a handle may be revoked.
    private async Task<(VmoDisk? Disk, NbdOptionReply Refusal, string Why)> OpenAsync(byte[] name, CancellationToken cancellation)
    {
        var began = options.TimeProvider.GetTimestamp();
        var (refusal, why) = (NbdOptionReply.Unknown, "there is no such export");
        try
        {
            if (ExportName.TryParse(name, out var export))
            {
                within.Suspend();
                try
                {
                    return (await VmoDisk.OpenAsync(client, export, options, cancellation).ConfigureAwait(false), default, "");
                }
                finally
                {
                    within.Resume();
                }
            }
        }
        catch (VmoException failure) when (NbdErrors.Of(failure.Status) is NbdError.Invalid or NbdError.Io)
        {
            // Who holds a good handle may know why it is no disk; and trouble is told to everybody.
            (refusal, why) = (failure.Status == VmoStatus.InvalidArgs ? NbdOptionReply.Policy : NbdOptionReply.Platform, failure.Message);
        }
        catch (VmoException)
        {
            // As if there were no such thing.
        }

        await Task.Delay(RestOfStep(options.TimeProvider.GetElapsedTime(began)), options.TimeProvider, cancellation).ConfigureAwait(false);
        return (null, refusal, why);
    }

    // More than nothing, and at most a step. A delay forgets parts of milliseconds, and the answer would come before its time.
    private TimeSpan RestOfStep(TimeSpan took)
    {
        var rest = ((Math.Floor(took / options.RefusalStep) + 1) * options.RefusalStep) - took;
        return TimeSpan.FromMilliseconds(Math.Ceiling(rest.TotalMilliseconds));
    }

    private Agreement Agree(VmoDisk disk, byte[] name) => new(
        _stream, _input, disk, _isStructured, _contextsOf.AsSpan().SequenceEqual(name) ? _contexts : []);

    private NbdTransmissionFlags FlagsOf(VmoDisk disk)
    {
        var flags = NbdTransmissionFlags.HasFlags | NbdTransmissionFlags.SendFlush | NbdTransmissionFlags.SendCache | NbdTransmissionFlags.CanMultiConnect;
        flags |= disk.IsReadOnly
            ? NbdTransmissionFlags.ReadOnly
            : NbdTransmissionFlags.SendForceUnitAccess | NbdTransmissionFlags.SendTrim | NbdTransmissionFlags.SendWriteZeroes | NbdTransmissionFlags.SendFastZero;
        return _isStructured ? flags | NbdTransmissionFlags.SendDontFragment : flags;
    }

    private async Task ReplyAsync(NbdOption option, NbdOptionReply reply, ReadOnlyMemory<byte> data, CancellationToken cancellation)
    {
        var message = new byte[20 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(message, NbdNumbers.OptionReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), (uint)option);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(12), (uint)reply);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(16), (uint)data.Length);
        data.CopyTo(message.AsMemory(20));
        await _stream.WriteAsync(message, cancellation).ConfigureAwait(false);
    }

    private Task ReplyAsync(NbdOption option, NbdOptionReply reply, ReadOnlySpan<byte> data, CancellationToken cancellation) =>
        ReplyAsync(option, reply, data.ToArray().AsMemory(), cancellation);
}
