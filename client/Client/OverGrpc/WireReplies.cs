using System.Runtime.InteropServices;
using Google.Protobuf;
using Google.Protobuf.Collections;
using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>The wire's answers as messages.</summary>
internal static class WireReplies
{
    public static CreateReply Create(V1.CreateResponse response) =>
        new() { Koid = new(response.Koid), Size = response.Size, Rights = (VmoRights)response.Rights };

    public static ReadReplies Read(V1.ReadResponse response) =>
        new() { Outcomes = Outcomes(response.Outcomes), Data = Bytes(response.Data), Version = response.Version };

    public static ReadReplies ReadPiece(V1.ReadPieceResponse response) => new() { Data = Bytes(response.Data), Version = response.Version };

    public static WriteReplies Write(V1.WriteResponse response) => new() { Outcomes = Outcomes(response.Outcomes), Version = response.Version };

    public static WriteReplies WritePiece(V1.WritePieceResponse response) => new() { Version = response.Version };

    public static VmoReply GetSize(V1.GetSizeResponse response) => new() { Number = response.Size, Version = response.Version };

    public static VmoReply SetSize(V1.SetSizeResponse response) => new() { Version = response.Version };

    public static VmoReply GetContentSize(V1.GetContentSizeResponse response) => new() { Number = response.Size, Version = response.Version };

    public static VmoReply SetContentSize(V1.SetContentSizeResponse response) => new() { Version = response.Version };

    public static VmoReply GetName(V1.GetNameResponse response) => new() { Name = response.Name };

    public static VmoReply SetName(V1.SetNameResponse response) => new() { Version = response.Version };

    public static VmoReply Signal(V1.SignalResponse response) => new() { Signals = (VmoSignals)response.Signals };

    public static VmoReply Wait(V1.WaitResponse response) => new()
    {
        Outcome = response.IsTimedOut ? new(VmoStatus.TimedOut, "no signal of the mask was seen") : Outcome.Ok,
        Signals = (VmoSignals)response.Signals,
    };

    public static VmoReply Duplicate(V1.DuplicateResponse response) => new() { Rights = (VmoRights)response.Rights };

    public static VmoReply Replace(V1.ReplaceResponse response) => new() { Rights = (VmoRights)response.Rights };

    public static VmoReply OperatorHandle(V1.OperatorHandleResponse response) => new() { Rights = (VmoRights)response.Rights };

    public static VmoReply Renew(V1.RenewResponse response) => new() { Number = (ulong)response.ExpiresMs };

    public static VmoReply OpRange(V1.OpRangeResponse response) => new()
    {
        Version = response.Version,
        Number = response.NextOffset,
        Runs = [.. response.Runs.Select(run => new LookupRun(Range(run.Range) ?? default, run.IsZero, new(run.Owner)))],
    };

    public static VmoReply Clone(V1.CloneResponse response) =>
        new() { Koid = new(response.FirstKoid), Number = response.Size, Rights = (VmoRights)response.Rights };

    public static VmoReply Tree(V1.TreeResponse response) => new() { Tree = [.. response.Nodes.Select(Node)], Number = response.More ? 1u : 0u };

    public static VmoReply Explain(V1.ExplainResponse response) => new()
    {
        Explanation = new()
        {
            Levels = [.. response.Levels.Select(level => new ExplainLevel
            {
                Koid = new(level.Koid),
                Kind = (VmoKind)level.Kind,
                Offset = level.Offset,
                Layer = level.Layer,
                Answer = level.Answer,
            })],
            Blob = response.HasBlob ? response.Blob : null,
            Charged = [.. response.Charged.Select(charge => new PageCharge(new(charge.Koid), charge.Bytes))],
        },
    };

    public static ScrubReply Scrub(V1.ScrubResponse response) => new()
    {
        Checked = (long)response.Checked,
        Findings = [.. response.Findings.Select(finding => new ScrubFinding(new(finding.Koid), finding.What, finding.Detail))],
        After = new(response.After),
        More = response.More,
    };

    public static VmoReply GetInfo(V1.GetInfoResponse response) => new()
    {
        Info = response.Info is { } info ? Info(info) : null,
        Number = response.HandleCount,
        Rights = (VmoRights)response.Rights,
        Version = response.Version,
    };

    public static ListReply List(V1.ListResponse response) => new() { Vmos = [.. response.Vmos.Select(Info)], More = response.More };

    private static VmoInfo Info(V1.VmoInfo info) => new()
    {
        Koid = new(info.Koid),
        Rights = (VmoRights)info.Rights,
        HandleCount = info.HasHandleCount ? (int)info.HandleCount : null,
        Name = info.HasName ? info.Name : null,
        Size = info.Size,
        ContentSize = info.HasContentSize ? info.ContentSize : null,
        IsResizable = info.IsResizable,
        Kind = (VmoKind)info.Kind,
        Parent = new(info.Parent),
        Offset = info.Offset,
        ChildCount = (int)info.ChildCount,
        MappingCount = (int)info.MappingCount,
        CommittedBytes = info.CommittedBytes,
        ChargedBytes = info.ChargedBytes,
        WouldFreeBytes = info.WouldFreeBytes,
        Version = info.Version,
        Signals = (VmoSignals)info.Signals,
        ExpiresMs = info.ExpiresMs,
        Range = Range(info.Range),
        Labels = info.Labels is { } labels ? new(labels.Values) : null,
        Tenant = info.Tenant,
    };

    private static TreeNode Node(V1.TreeNode node) => new()
    {
        Koid = new(node.Koid),
        Parent = new(node.Parent),
        Kind = (VmoKind)node.Kind,
        Offset = node.Offset,
        Size = node.Size,
        OwnPages = node.OwnPages,
        CommittedBytes = node.CommittedBytes,
        ChargedBytes = node.ChargedBytes,
        Name = node.HasName ? node.Name : null,
        IsGhost = node.IsGhost,
        ChildCount = (int)node.ChildCount,
    };

    private static ByteRange? Range(V1.ByteRange? range) => range is null ? null : new(range.Offset, range.Length);

    private static Outcome[]? Outcomes(RepeatedField<V1.Outcome> outcomes) => outcomes.Count == 0
        ? null
        : [.. outcomes.Select(one => new Outcome((VmoStatus)one.ZxStatus, one.Message.Length == 0 ? null : one.Message, (int)one.RetryAfterMs))];

    // A parsed field has its bytes in an array of its own: no copy is needed.
    internal static byte[] Bytes(ByteString bytes) =>
        MemoryMarshal.TryGetArray(bytes.Memory, out var segment) && segment is { Offset: 0, Array: { } array } && array.Length == segment.Count
            ? array
            : bytes.ToByteArray();
}
