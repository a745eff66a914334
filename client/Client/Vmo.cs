using System.Runtime.CompilerServices;
using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// One VMO as one handle shows it: an immutable view that asks nothing when it is made. Thread-safe. Small concurrent reads and writes
/// through one <see cref="Vmo"/> share messages, so keep it rather than opening the handle for each call.
/// A refusal is a <see cref="VmoException"/>. A call that is given up (cancelled) may still take effect.
/// </summary>
public sealed class Vmo
{
    private readonly CallLoop _calls;
    private readonly Confirmations _confirmations;
    private readonly Caller _caller;
    private readonly TimeSpan _deadline;
    private readonly Reader _reader;
    private readonly Writer _writer;
    private readonly Cloner _cloner;

    internal Vmo(CallLoop calls, Confirmations confirmations, VmoHandle handle, VmoRights? rights, Caller caller, TimeSpan deadline)
    {
        (_calls, _confirmations, _caller, _deadline) = (calls, confirmations, caller, deadline);
        (Handle, Rights) = (handle, rights);
        _reader = new(calls, handle, caller, deadline);
        _writer = new(calls, handle, caller, deadline);
        _cloner = new(calls, confirmations, handle, caller, deadline);
    }

    /// <summary>The handle. Its text is <see cref="VmoHandle.Reveal"/>; treat it as a password.</summary>
    public VmoHandle Handle { get; }

    /// <summary>The VMO's number; no secret.</summary>
    public Koid Koid => Handle.Koid;

    /// <summary>The handle's rights, where this client made the handle; null where it was given one.</summary>
    public VmoRights? Rights { get; }

    /// <summary>The same handle with another deadline for each call.</summary>
    public Vmo WithDeadline(TimeSpan deadline) =>
        new(_calls, _confirmations, Handle, Rights, _caller, VmoClientOptions.CheckDeadline(deadline));

    /// <summary>
    /// Fills the destination with the VMO's bytes from an offset, all or nothing, and returns the version read. READ. Up to 1 MiB shows one
    /// version; above that it is several calls, and the lowest of their versions is returned.
    /// </summary>
    public Task<ulong> ReadAsync(ulong offset, Memory<byte> destination, CancellationToken cancellation = default) =>
        _reader.ReadAsync(offset, destination, cancellation);

    /// <summary>
    /// Reads several ranges in one message, all as of one version, all or nothing: their bytes, one range's behind the other's. READ. At most
    /// <see cref="Limits.JoinCallsMax"/> ranges and <see cref="Limits.MessageBytesMax"/> bytes in all, else <see cref="VmoStatus.InvalidArgs"/>.
    /// </summary>
    public Task<byte[]> ReadManyAsync(IReadOnlyList<ByteRange> ranges, CancellationToken cancellation = default) =>
        _reader.ReadManyAsync(ranges, cancellation);

    /// <summary>
    /// Writes the source's bytes at an offset and returns the version after it; they are durable then. WRITE. Up to 1 MiB is all or nothing;
    /// above that it is several calls of 1 MiB, and on failure any of those behind the first may have been written.
    /// The source must not change until the call has ended.
    /// </summary>
    public Task<ulong> WriteAsync(ulong offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) =>
        _writer.WriteAsync(offset, source, cancellation);

    /// <summary>
    /// Writes at several places in one message. WRITE. Each is all or nothing, and answered by itself: null when it is durable, else why it is not,
    /// in the order of the writes. At most <see cref="Limits.JoinCallsMax"/> writes and <see cref="Limits.MessageBytesMax"/> bytes in all, else
    /// <see cref="VmoStatus.InvalidArgs"/> is thrown, and nothing is written. Where they overlap, any of them may come last.
    /// </summary>
    public Task<VmoException?[]> WriteManyAsync(IReadOnlyList<VmoWrite> writes, CancellationToken cancellation = default) =>
        _writer.WriteManyAsync(writes, cancellation);

    /// <summary>Size in bytes.</summary>
    public async Task<ulong> GetSizeAsync(CancellationToken cancellation = default) =>
        (await AskAsync(CallKind.GetSize, static head => new GetSizeCall(head), cancellation).ConfigureAwait(false)).Number;

    /// <summary>Sets the size in bytes, rounded up to pages. WRITE.</summary>
    public Task SetSizeAsync(ulong size, CancellationToken cancellation = default) =>
        AskAsync(CallKind.SetSize, head => new SetSizeCall(head, size), cancellation);

    /// <summary>Bytes of content. GET_PROPERTY.</summary>
    public async Task<ulong> GetContentSizeAsync(CancellationToken cancellation = default) =>
        (await AskAsync(CallKind.GetContentSize, static head => new GetContentSizeCall(head), cancellation).ConfigureAwait(false)).Number;

    /// <summary>Sets the bytes of content, any number. SET_PROPERTY and WRITE.</summary>
    public Task SetContentSizeAsync(ulong size, CancellationToken cancellation = default) =>
        AskAsync(CallKind.SetContentSize, head => new SetContentSizeCall(head, size), cancellation);

    /// <summary>The name. GET_PROPERTY.</summary>
    public async Task<string> GetNameAsync(CancellationToken cancellation = default) =>
        (await AskAsync(CallKind.GetName, static head => new GetNameCall(head), cancellation).ConfigureAwait(false)).Name ?? "";

    /// <summary>Sets the name, cut to 31 bytes of UTF-8. SET_PROPERTY.</summary>
    public Task SetNameAsync(string name, CancellationToken cancellation = default) =>
        AskAsync(CallKind.SetName, head => new SetNameCall(head, VmoClient.CheckText(name, "name")), cancellation);

    /// <summary>Makes pages private to this VMO. WRITE.</summary>
    public Task CommitAsync(ByteRange range, CancellationToken cancellation = default) => OpRangeAsync(VmoOp.Commit, range, cancellation);

    /// <summary>Drops pages: they show what lies below again, zeros in a root. WRITE.</summary>
    public Task DecommitAsync(ByteRange range, CancellationToken cancellation = default) => OpRangeAsync(VmoOp.Decommit, range, cancellation);

    /// <summary>Makes a range read as zeros, at any alignment. WRITE.</summary>
    public Task ZeroAsync(ByteRange range, CancellationToken cancellation = default) => OpRangeAsync(VmoOp.Zero, range, cancellation);

    /// <summary>Any operation on a range, by its number.</summary>
    public Task OpRangeAsync(VmoOp op, ByteRange range, CancellationToken cancellation = default) =>
        AskAsync(op == VmoOp.Lookup ? CallKind.Lookup : CallKind.OpRange, head => new OpRangeCall(head, op, range), cancellation);

    /// <summary>The stretches of pages that are present in a range, in order; asked for as they are consumed. READ.</summary>
    public async IAsyncEnumerable<LookupRun> LookupAsync(ByteRange range, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        for (var left = range; ;)
        {
            var asked = left;
            var reply = await AskAsync(CallKind.Lookup, head => new OpRangeCall(head, VmoOp.Lookup, asked), cancellation).ConfigureAwait(false);
            foreach (var run in reply.Runs ?? [])
                yield return run;

            // An answer that does not move on would be asked for ever.
            if (reply.Number <= left.Offset || reply.Number >= range.End)
                yield break;
            left = new(reply.Number, range.End - reply.Number);
        }
    }

    /// <summary>What is known of the VMO and of this handle; what needs a right the handle lacks is absent.</summary>
    public async Task<VmoInfo> GetInfoAsync(InfoTopic topic = InfoTopic.Vmo, CancellationToken cancellation = default)
    {
        var reply = await AskAsync(CallKind.GetInfo, head => new InfoCall(head, topic), cancellation).ConfigureAwait(false);
        return reply.Info ?? new VmoInfo
        {
            Koid = Koid,
            Rights = reply.Rights,
            HandleCount = topic == InfoTopic.HandleCount ? (int)reply.Number : null,
            Version = reply.Version,
        };
    }

    /// <summary>
    /// A child of this VMO, in one step however large it is. DUPLICATE and READ; the child's handle has this handle's rights, and WRITE where
    /// the kind gives it. OutOfRange: a size above 2^64 - 4096, a window beyond 2^64. InvalidArgs: an offset that is not whole pages, a slice
    /// that is not inside, a reference with a window. NotSupported: a kind that this VMO cannot have (a slice of a resizable one, a snapshot of a slice).
    /// </summary>
    /// <param name="kind">Live shows this VMO's current page until it has its own; a snapshot is isolated both ways; slice and reference are the same pages.</param>
    /// <param name="offset">Where in this VMO it begins, in bytes; whole pages. It may lie beyond the end, but for a slice.</param>
    /// <param name="size">Bytes, rounded up to pages. Null: this VMO's size less the offset, 0 beyond its end; a reference is always the whole.</param>
    /// <param name="options">Name, rights and what it must not show.</param>
    /// <param name="cancellation">Gives up; the clone may be made nevertheless, and is then closed within a minute.</param>
    public async Task<Vmo> CloneAsync(
        VmoKind kind = VmoKind.Live, ulong offset = 0, ulong? size = null, VmoCloneOptions? options = null, CancellationToken cancellation = default) =>
        (await CloneManyAsync(1, kind, offset, size, options, cancellation).ConfigureAwait(false))[0];

    /// <summary>The seed's vmo_clone with its raw option bits: 1 copy-on-write (must be there), 2 not resizable. DUPLICATE and READ.</summary>
    /// <param name="options">The bits; unknown ones are InvalidArgs.</param>
    /// <param name="offset">Where in this VMO it begins, in bytes; whole pages.</param>
    /// <param name="size">Bytes, rounded up to pages.</param>
    /// <param name="cancellation">Gives up, as above.</param>
    public async Task<Vmo> CloneAsync(uint options, ulong offset, ulong size, CancellationToken cancellation = default) =>
        (await CloneManyAsync(1, new CloneSpec { SeedOptions = options, Offset = offset, Size = size }, cancellation).ConfigureAwait(false))[0];

    /// <summary>
    /// So many alike children in one call, all or none; their koids follow one another. OutOfRange beside <see cref="CloneAsync(VmoKind, ulong, ulong?, VmoCloneOptions?, CancellationToken)"/>'s
    /// refusals: a count outside 1 to <see cref="Limits.CloneCountMax"/>. Of several the handles are not confirmed: should the caller never get the answer, they stay open.
    /// </summary>
    public async Task<IReadOnlyList<Vmo>> CloneManyAsync(
        int count, VmoKind kind = VmoKind.Live, ulong offset = 0, ulong? size = null, VmoCloneOptions? options = null, CancellationToken cancellation = default)
    {
        // Both calls have one deadline.
        var started = _calls.Time.GetTimestamp();
        var spec = await Cloner.SpecAsync(kind, offset, size, options, GetSizeAsync, cancellation).ConfigureAwait(false);
        return await _cloner.CloneAsync([spec], count, cancellation, _calls.Time.GetElapsedTime(started)).ConfigureAwait(false);
    }

    /// <summary>So many children, each made as this says, in one call, all or none.</summary>
    public Task<IReadOnlyList<Vmo>> CloneManyAsync(int count, CloneSpec spec, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return _cloner.CloneAsync([spec], count, cancellation);
    }

    /// <summary>A child for each spec, in order, in one call, all or none. Their rights are known where all specs give the same.</summary>
    public Task<IReadOnlyList<Vmo>> CloneManyAsync(IReadOnlyList<CloneSpec> specs, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(specs);
        return _cloner.CloneAsync([.. specs], specs.Count, cancellation);
    }

    /// <summary>
    /// The family, asked for as it is consumed: the ancestors without names, this VMO and all below it, parents first. INSPECT. What is made
    /// or ends meanwhile may be missing or told.
    /// </summary>
    public async IAsyncEnumerable<TreeNode> TreeAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        for (var after = Koid.None; ;)
        {
            var from = after;
            var reply = await AskAsync(CallKind.Tree, head => new TreeCall(head, from), cancellation).ConfigureAwait(false);
            foreach (var node in reply.Tree ?? [])
            {
                yield return node;
                after = node.Koid;
            }

            // An answer that does not move on would be asked for ever.
            if (reply.Number == 0 || after == from)
                yield break;
        }
    }

    /// <summary>Where a page's bytes come from: each level's answer down to the one that decides, and who is charged. READ.</summary>
    /// <param name="page">The page's index; outside the size it is OutOfRange.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<Explanation> ExplainAsync(ulong page, CancellationToken cancellation = default) =>
        (await AskAsync(CallKind.Explain, head => new ExplainCall(head, page), cancellation).ConfigureAwait(false)).Explanation ?? new();

    /// <summary>A new handle with these rights or fewer, ending sooner or touching less where asked. DUPLICATE.</summary>
    /// <param name="rights">A subset of this handle's, or SameRights.</param>
    /// <param name="expires">When it ends; never later than this handle.</param>
    /// <param name="range">The bytes it may touch, inside this handle's.</param>
    public async Task<Vmo> DuplicateAsync(
        VmoRights rights, DateTimeOffset? expires = null, ByteRange? range = null, CancellationToken cancellation = default)
    {
        var secret = HandleSecret.Create();
        var reply = await AskAsync(
            CallKind.Duplicate, head => new DuplicateCall(head, secret, rights, UnixMs(expires), range), cancellation).ConfigureAwait(false);
        return Issued(secret, reply);
    }

    /// <summary>A new handle in place of this one, which ends in every case but BadHandle.</summary>
    public async Task<Vmo> ReplaceAsync(VmoRights rights, CancellationToken cancellation = default)
    {
        var secret = HandleSecret.Create();
        var reply = await AskAsync(CallKind.Replace, head => new ReplaceCall(head, secret, rights), cancellation).ConfigureAwait(false);
        return Issued(secret, reply);
    }

    /// <summary>Ends this handle. With the last one the VMO goes.</summary>
    public Task CloseAsync(CancellationToken cancellation = default) =>
        AskAsync(CallKind.Close, static head => new CloseCall(head), cancellation);

    /// <summary>Ends this handle and all derived from it.</summary>
    public Task RevokeAsync(CancellationToken cancellation = default) =>
        AskAsync(CallKind.Revoke, static head => new RevokeCall(head), cancellation);

    /// <summary>Moves the time at which this handle ends, null for never, and returns what it is now.</summary>
    public async Task<DateTimeOffset?> RenewAsync(DateTimeOffset? expires, CancellationToken cancellation = default)
    {
        var reply = await AskAsync(CallKind.Renew, head => new RenewCall(head, UnixMs(expires)), cancellation).ConfigureAwait(false);
        return reply.Number == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds((long)reply.Number);
    }

    /// <summary>Clears, then sets user signals, in one step. SIGNAL.</summary>
    public Task SignalAsync(VmoSignals clear, VmoSignals set, CancellationToken cancellation = default) =>
        AskAsync(CallKind.Signal, head => new SignalCall(head, clear, set), cancellation);

    /// <summary>
    /// Waits until any bit of the mask is set. WAIT. A timeout of zero asks once; <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.
    /// Canceled, when the handle is closed meanwhile.
    /// </summary>
    public Task<WaitResult> WaitAsync(VmoSignals mask, TimeSpan timeout, CancellationToken cancellation = default) =>
        new Waiter(_calls, Handle, _caller, _deadline).WaitAsync(mask, timeout, cancellation);

    /// <summary>The VMO as a stream; nothing is asked until it is used.</summary>
    public VmoStream OpenStream(VmoStreamOptions? options = null) => new(this, options ?? new());

    /// <inheritdoc/>
    public override string ToString() => Handle.ToString();

    internal static long UnixMs(DateTimeOffset? time) => time switch
    {
        null => 0,
        // 0 means never; what lies before our era has long passed, as has its first millisecond.
        { } given => Math.Max(1, given.ToUnixTimeMilliseconds()),
    };

    private Vmo Issued(HandleSecret secret, VmoReply reply)
    {
        var handle = new VmoHandle(Koid, secret);
        _confirmations.Confirm(handle, _caller);
        return new(_calls, _confirmations, handle, reply.Rights, _caller, _deadline);
    }

    private async Task<VmoReply> AskAsync(CallKind kind, Func<CallHead, VmoCall> make, CancellationToken cancellation)
    {
        var reply = await _calls.RunAsync(
            kind, Koid, Handle.Secret, _caller, _deadline, _calls.Options.AttemptTimeout,
            (head, stop) => _calls.Transport.CallAsync(Koid, make(head), stop),
            static reply => reply.Outcome,
            cancellation).ConfigureAwait(false);
        reply.Outcome.ThrowIfFailed();
        return reply;
    }
}
