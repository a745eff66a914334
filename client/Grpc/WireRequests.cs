using Google.Protobuf;
using Grpc.Core;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.GrpcDoor;

/// <summary>
/// The wire's requests as messages. What has the wrong form is refused here with its numbers: a malformed handle is BadHandle, a message that
/// contradicts itself InvalidArgs, one beyond a limit OutOfRange. What the bits mean is for the VMO to say; unknown ones pass.
/// </summary>
internal static class WireRequests
{
    private static readonly V1.CallHead NoHead = new();

    public static CallHead Head(V1.CallHead? given, Caller caller, ServerCallContext context, out Koid koid)
    {
        var head = given ?? NoHead;
        var handle = VmoHandle.Parse(head.Handle);
        koid = handle.Koid;
        return Head(head, handle.Secret, caller, context);
    }

    /// <summary>The head of a call that is made through no handle.</summary>
    public static CallHead HeadWithoutHandle(V1.CallHead? given, HandleSecret secret, Caller caller, ServerCallContext context)
    {
        var head = given ?? NoHead;
        return head.Handle.Length == 0
            ? Head(head, secret, caller, context)
            : throw new VmoException(VmoStatus.InvalidArgs, "this call is made through no handle, but one is given");
    }

    /// <summary>The secret of a handle to be made, or the seed of several: the caller's, or one made here where no repeat is possible.</summary>
    public static HandleSecret NewSecret(ByteString given, V1.CallHead? head, string field = "new_secret")
    {
        if (given.Length == 0)
        {
            return head?.Request is null
                ? HandleSecret.Create()
                : throw new VmoException(VmoStatus.InvalidArgs, $"{field} is missing: with a request id it must be given, or a repeat would make another handle");
        }

        if (given.Length != HandleSecret.Bytes)
            throw new VmoException(VmoStatus.InvalidArgs, $"{field} has {given.Length} bytes, it must have {HandleSecret.Bytes}");
        var secret = HandleSecret.Read(given.Span);
        return secret.IsNone ? throw new VmoException(VmoStatus.InvalidArgs, $"{field} is all zero") : secret;
    }

    public static ReadItem[] Items(V1.ReadRequest request)
    {
        var items = new ReadItem[Count(request.Items.Count, "reads")];
        var total = 0UL;
        for (var i = 0; i < items.Length; i++)
        {
            var item = request.Items[i];
            total += item.Length;
            items[i] = new(item.Offset, (int)Math.Min(item.Length, int.MaxValue));
        }

        CheckMost(total, Limits.MessageBytesMax, "bytes to read in one message");
        return items;
    }

    /// <summary>What a message of so many calls takes of the door's budget beyond the one it was let in as.</summary>
    public static CallLoad Load(V1.CallHead? head, int calls, long bytes) =>
        new(Math.Clamp(calls, 1, Limits.JoinCallsMax) - 1, bytes, head is { DeadlineMs: > 0 } ? (int)Math.Min(head.DeadlineMs, Limits.DeadlineMaxMs) : Limits.DeadlineDefaultMs);

    /// <summary>The same of reads: the bytes they will be answered with, if they are within the limits.</summary>
    public static CallLoad Load(V1.ReadRequest request)
    {
        var total = 0L;
        foreach (var item in request.Items)
            total = Math.Min(Limits.MessageBytesMax, total + (long)Math.Min(item.Length, Limits.MessageBytesMax));
        return Load(request.Head, request.Items.Count, total);
    }

    public static WriteItem[] Items(V1.WriteRequest request)
    {
        var items = new WriteItem[Count(request.Items.Count, "writes")];
        var total = 0UL;
        for (var i = 0; i < items.Length; i++)
        {
            var item = request.Items[i];
            total += item.Length;
            items[i] = new(Request(item.Request), item.Offset, (int)Math.Min(item.Length, int.MaxValue));
        }

        CheckMost(total, Limits.MessageBytesMax, "bytes to write in one message");
        if (total != (ulong)request.Data.Length)
            throw new VmoException(VmoStatus.InvalidArgs, $"the items have {total} bytes, the data {request.Data.Length}");
        return items;
    }

    public static ReadItem Whole(V1.ReadPieceRequest request)
    {
        var (offset, length) = request.Whole is { } whole ? (whole.Offset, whole.Length) : (0, 0);
        CheckMost(length, Limits.CallBytesMax, "bytes of the whole");
        CheckPiece(request.Piece, length);
        return new(offset, (int)length);
    }

    public static byte[] Piece(V1.WritePieceRequest request)
    {
        CheckMost(request.Length, Limits.CallBytesMax, "bytes of the whole");
        CheckPiece(request.Piece, request.Length);
        var expected = Math.Min(Limits.MessageBytesMax, request.Length - (request.Piece * Limits.MessageBytesMax));
        return expected == request.Data.Length
            ? WireReplies.Bytes(request.Data)
            : throw new VmoException(VmoStatus.InvalidArgs, $"piece {request.Piece} of {request.Length} bytes has {expected}, given are {request.Data.Length}");
    }

    /// <summary>A clone call without its head; its form only: whether the kinds and windows make sense is for the parent to say.</summary>
    public static CloneSpec[] Specs(V1.CloneRequest request)
    {
        CheckMost(request.Count, Limits.CloneCountMax, "clones in one call");
        if (request.Count == 0)
            throw new VmoException(VmoStatus.OutOfRange, "0 clones, at least 1");
        if (request.Specs.Count != 1 && request.Specs.Count != request.Count)
            throw new VmoException(VmoStatus.InvalidArgs, $"{request.Specs.Count} specs for {request.Count} clones: there must be one for all or one for each");
        if (request.WithoutHandles && request.Seed.Length == 0)
            throw new VmoException(VmoStatus.InvalidArgs, "the handles are to be left out, but without a seed nobody can work them out");
        return [.. request.Specs.Select(Spec)];
    }

    public static ByteRange? Range(V1.ByteRange? range) => range is null ? null : new(range.Offset, range.Length);

    public static int PollMs(uint pollMs)
    {
        CheckMost(pollMs, Limits.WaitPollMs, "ms to wait in one call");
        return (int)pollMs;
    }

    public static void CheckMost(ulong given, ulong most, string what)
    {
        if (given > most)
            throw new VmoException(VmoStatus.OutOfRange, $"{given} {what}, at most {most}");
    }

    private static CloneSpec Spec(V1.CloneSpec spec) => new()
    {
        // A number that is no kind stays none.
        Kind = (VmoKind)Math.Min(spec.Kind, byte.MaxValue),
        SeedOptions = spec.HasSeedOptions ? spec.SeedOptions : null,
        Offset = spec.Offset,
        Size = spec.Size,
        NonResizable = spec.NonResizable,
        NoWrite = spec.NoWrite,
        Rights = spec.HasRights ? (VmoRights)spec.Rights : null,
        Name = spec.HasName ? spec.Name : null,
        Zero = spec.Zero.Count == 0 ? null : [.. spec.Zero.Select(range => new ByteRange(range.Offset, range.Length))],
    };

    private static int Count(int given, string what)
    {
        CheckMost((ulong)given, Limits.JoinCallsMax, $"{what} in one message");
        return given > 0 ? given : throw new VmoException(VmoStatus.InvalidArgs, $"no {what} in the message");
    }

    private static void CheckPiece(uint piece, uint length)
    {
        var count = Math.Max(1, (length + Limits.MessageBytesMax - 1) / Limits.MessageBytesMax);
        if (piece >= count)
            throw new VmoException(VmoStatus.OutOfRange, $"piece {piece} of a whole of {length} bytes, which has {count}");
    }

    private static CallHead Head(V1.CallHead head, HandleSecret secret, Caller caller, ServerCallContext context) =>
        new(secret, Request(head.Request), head.AckedBelow, DeadlineMs(head.DeadlineMs, context), caller);

    private static RequestId Request(V1.RequestId? id) => id is null ? RequestId.None : new(id.Client, id.Sequence);

    // What ends first: the field, or gRPC's own deadline.
    private static int DeadlineMs(uint given, ServerCallContext context)
    {
        var most = given == 0 ? Limits.DeadlineDefaultMs : Math.Min(given, Limits.DeadlineMaxMs);
        if (context.Deadline == DateTime.MaxValue)
            return (int)most;
        var left = (context.Deadline - DateTime.UtcNow).TotalMilliseconds;
        return (int)Math.Clamp(left, 1, given == 0 ? Limits.DeadlineMaxMs : most);
    }
}
