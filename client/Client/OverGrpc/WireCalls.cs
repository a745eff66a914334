using Google.Protobuf;
using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>The messages as the wire has them. Page bytes are wrapped, not copied: a message never changes after sending.</summary>
internal static class WireCalls
{
    public static V1.CallHead Head(Koid koid, CallHead head) => new()
    {
        Handle = head.Secret.IsNone ? "" : new VmoHandle(koid, head.Secret).Reveal(),
        Request = Request(head.Request),
        AckedBelow = head.AckedBelow,
        DeadlineMs = (uint)head.DeadlineMs,
    };

    public static ByteString Secret(HandleSecret secret)
    {
        var bytes = new byte[HandleSecret.Bytes];
        secret.Write(bytes);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    public static V1.CreateRequest Create(CreateCall call)
    {
        var request = new V1.CreateRequest
        {
            Head = Head(Koid.None, call.Head with { Secret = default }),
            Size = call.Size,
            Options = (uint)call.Options,
            Name = call.Name,
            NewSecret = Secret(call.Head.Secret),
            Confirmed = call.Confirmed,
        };
        if (call.Labels is { } labels)
            request.Labels.Add(labels);
        return request;
    }

    public static V1.ReadRequest Read(Koid koid, ReadCalls reads)
    {
        var request = new V1.ReadRequest { Head = Head(koid, reads.Head) };
        request.Items.Capacity = reads.Items.Length;
        foreach (var item in reads.Items)
            request.Items.Add(Item(item));
        return request;
    }

    public static V1.ReadPieceRequest ReadPiece(Koid koid, ReadPieceCall call) =>
        new() { Head = Head(koid, call.Head), Whole = Item(call.Whole), Piece = (uint)call.Piece };

    public static V1.WriteRequest Write(Koid koid, WriteCalls writes)
    {
        var request = new V1.WriteRequest { Head = Head(koid, writes.Head), Data = UnsafeByteOperations.UnsafeWrap(writes.Data) };
        request.Items.Capacity = writes.Items.Length;
        foreach (var item in writes.Items)
            request.Items.Add(new V1.WriteItem { Request = Request(item.Request), Offset = item.Offset, Length = (uint)item.Length });
        return request;
    }

    public static V1.WritePieceRequest WritePiece(Koid koid, WritePieceCall call) => new()
    {
        Head = Head(koid, call.Head),
        Offset = call.Offset,
        Length = (uint)call.Length,
        Piece = (uint)call.Piece,
        Data = UnsafeByteOperations.UnsafeWrap(call.Data),
    };

    public static V1.OpRangeRequest OpRange(V1.CallHead head, OpRangeCall call) =>
        new() { Head = head, Op = (uint)call.Op, Range = Range(call.Range) };

    public static V1.DuplicateRequest Duplicate(V1.CallHead head, DuplicateCall call) => new()
    {
        Head = head,
        Rights = (uint)call.Rights,
        ExpiresMs = call.ExpiresMs,
        Range = call.Range is { } range ? Range(range) : null,
        NewSecret = Secret(call.NewSecret),
    };

    public static V1.CloneRequest Clone(V1.CallHead head, CloneCall call)
    {
        var request = new V1.CloneRequest
        {
            Head = head,
            Count = (uint)Math.Max(0, call.Count),
            Seed = Secret(call.Seed),
            Confirmed = call.Confirmed,
            WithoutHandles = true,
        };
        request.Specs.AddRange(call.Specs.Select(Spec));
        return request;
    }

    public static V1.ScrubRequest Scrub(ScrubCall call) => new() { Family = call.Family.Value, After = call.After.Value, Bytes = call.Bytes };

    public static V1.OperatorHandleRequest OperatorHandle(Koid koid, OperatorHandleCall call) =>
        new() { Head = Head(Koid.None, call.Head with { Secret = default }), Koid = koid.Value, NewSecret = Secret(call.NewSecret) };

    public static V1.ListRequest List(ListCall list) => new()
    {
        LabelKey = list.LabelKey ?? "",
        LabelValue = list.LabelValue ?? "",
        NameGlob = list.NameGlob ?? "",
        After = list.After.Value,
        Most = (uint)list.Most,
    };

    public static V1.ByteRange Range(ByteRange range) => new() { Offset = range.Offset, Length = range.Length };

    private static V1.CloneSpec Spec(CloneSpec spec)
    {
        var wire = new V1.CloneSpec
        {
            Kind = (uint)spec.Kind,
            Offset = spec.Offset,
            Size = spec.Size,
            NonResizable = spec.NonResizable,
            NoWrite = spec.NoWrite,
        };
        if (spec.SeedOptions is { } options)
            wire.SeedOptions = options;
        if (spec.Rights is { } rights)
            wire.Rights = (uint)rights;
        if (spec.Name is { } name)
            wire.Name = name;
        if (spec.Zero is { } zero)
            wire.Zero.AddRange(zero.Select(Range));
        return wire;
    }

    private static V1.ReadItem Item(ReadItem item) => new() { Offset = item.Offset, Length = (uint)item.Length };

    private static V1.RequestId? Request(RequestId id) => id.IsNone ? null : new() { Client = id.Client, Sequence = id.Sequence };
}
