using Google.Protobuf;
using Google.Protobuf.Collections;
using VmoCluster.Messages;

namespace VmoCluster.GrpcDoor;

/// <summary>Messages as the wire's answers. Page bytes are wrapped, not copied: an answer never changes after it was given.</summary>
internal static class WireResponses
{
    public static V1.ReadResponse Read(ReadReplies replies)
    {
        ThrowIfAllFailed(replies.Outcomes);
        var response = new V1.ReadResponse { Data = UnsafeByteOperations.UnsafeWrap(replies.Data), Version = replies.Version };
        Add(response.Outcomes, replies.Outcomes);
        return response;
    }

    public static V1.ReadPieceResponse ReadPiece(ReadReplies replies)
    {
        ThrowIfAllFailed(replies.Outcomes);
        return new() { Data = UnsafeByteOperations.UnsafeWrap(replies.Data), Version = replies.Version };
    }

    public static V1.WriteResponse Write(WriteReplies replies)
    {
        ThrowIfAllFailed(replies.Outcomes);
        var response = new V1.WriteResponse { Version = replies.Version };
        Add(response.Outcomes, replies.Outcomes);
        return response;
    }

    public static V1.WritePieceResponse WritePiece(WriteReplies replies)
    {
        ThrowIfAllFailed(replies.Outcomes);
        return new() { Version = replies.Version };
    }

    public static V1.Outcome Outcome(Outcome outcome) => new()
    {
        ZxStatus = (int)outcome.Status,
        Message = outcome.Message ?? "",
        RetryAfterMs = (uint)Math.Max(0, outcome.RetryAfterMs),
    };

    public static V1.OpRangeResponse OpRange(VmoReply reply)
    {
        var response = new V1.OpRangeResponse { Version = reply.Version, NextOffset = reply.Number };
        foreach (var run in reply.Runs ?? [])
            response.Runs.Add(new V1.LookupRun { Range = Range(run.Range), IsZero = run.IsZero, Owner = run.Owner.Value });
        return response;
    }

    public static V1.GetInfoResponse GetInfo(VmoReply reply) => new()
    {
        Info = reply.Info is { } info ? Info(info) : null,
        HandleCount = reply.Number,
        Rights = (uint)reply.Rights,
        Version = reply.Version,
    };

    /// <summary>The clones' handles are the seed's, unless the caller works them out by itself.</summary>
    public static V1.CloneResponse Clone(VmoReply reply, HandleSecret seed, int handles)
    {
        var response = new V1.CloneResponse { FirstKoid = reply.Koid.Value, Size = reply.Number, Rights = (uint)reply.Rights };
        response.Handles.Capacity = handles;
        for (var i = 0; i < handles; i++)
            response.Handles.Add(new VmoHandle(new(reply.Koid.Value + (ulong)i), seed.Child(i)).Reveal());
        return response;
    }

    public static V1.TreeResponse Tree(VmoReply reply)
    {
        var response = new V1.TreeResponse { More = reply.Number != 0 };
        response.Nodes.AddRange((reply.Tree ?? []).Select(Node));
        return response;
    }

    public static V1.ExplainResponse Explain(VmoReply reply)
    {
        var explanation = reply.Explanation ?? new();
        var response = new V1.ExplainResponse();
        if (explanation.Blob is { } blob)
            response.Blob = blob;
        foreach (var level in explanation.Levels)
        {
            response.Levels.Add(new V1.ExplainLevel
            {
                Koid = level.Koid.Value,
                Kind = (uint)level.Kind,
                Offset = level.Offset,
                Layer = level.Layer,
                Answer = level.Answer,
            });
        }

        foreach (var charge in explanation.Charged)
            response.Charged.Add(new V1.PageCharge { Koid = charge.Koid.Value, Bytes = charge.Bytes });
        return response;
    }

    public static V1.ScrubResponse Scrub(ScrubReply reply)
    {
        var response = new V1.ScrubResponse { Checked = (ulong)reply.Checked, After = reply.After.Value, More = reply.More };
        foreach (var finding in reply.Findings)
            response.Findings.Add(new V1.ScrubFinding { Koid = finding.Koid.Value, What = finding.What, Detail = finding.Detail });
        return response;
    }

    public static V1.ListResponse List(ListReply reply)
    {
        var response = new V1.ListResponse { More = reply.More };
        response.Vmos.AddRange(reply.Vmos.Select(Info));
        return response;
    }

    private static V1.VmoInfo Info(VmoInfo info)
    {
        var wire = new V1.VmoInfo
        {
            Koid = info.Koid.Value,
            Rights = (uint)info.Rights,
            Size = info.Size,
            IsResizable = info.IsResizable,
            Kind = (uint)info.Kind,
            Parent = info.Parent.Value,
            Offset = info.Offset,
            ChildCount = (uint)info.ChildCount,
            MappingCount = (uint)info.MappingCount,
            CommittedBytes = info.CommittedBytes,
            ChargedBytes = info.ChargedBytes,
            WouldFreeBytes = info.WouldFreeBytes,
            Version = info.Version,
            Signals = (uint)info.Signals,
            ExpiresMs = info.ExpiresMs,
            Range = info.Range is { } range ? Range(range) : null,
            Tenant = info.Tenant,
        };
        if (info.HandleCount is { } handles)
            wire.HandleCount = (uint)handles;
        if (info.Name is { } name)
            wire.Name = name;
        if (info.ContentSize is { } content)
            wire.ContentSize = content;
        if (info.Labels is { } labels)
        {
            wire.Labels = new();
            wire.Labels.Values.Add(labels);
        }

        return wire;
    }

    private static V1.TreeNode Node(TreeNode node)
    {
        var wire = new V1.TreeNode
        {
            Koid = node.Koid.Value,
            Parent = node.Parent.Value,
            Kind = (uint)node.Kind,
            Offset = node.Offset,
            Size = node.Size,
            OwnPages = node.OwnPages,
            CommittedBytes = node.CommittedBytes,
            ChargedBytes = node.ChargedBytes,
            IsGhost = node.IsGhost,
            ChildCount = (uint)node.ChildCount,
        };
        if (node.Name is { } name)
            wire.Name = name;
        return wire;
    }

    private static V1.ByteRange Range(ByteRange range) => new() { Offset = range.Offset, Length = range.Length };

    // One reason for all is the call's own; only a mixture needs the list.
    private static void ThrowIfAllFailed(Outcome[]? outcomes)
    {
        if (outcomes is not [{ IsOk: false } first, .. var rest])
            return;
        foreach (var other in rest)
        {
            if (other.Status != first.Status)
                return;
        }

        first.ThrowIfFailed();
    }

    private static void Add(RepeatedField<V1.Outcome> wire, Outcome[]? outcomes)
    {
        foreach (var outcome in outcomes ?? [])
            wire.Add(Outcome(outcome));
    }
}
