using VmoCluster.Core.Handles;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>Calls that change nothing and need nothing loaded.</summary>
internal static class Queries
{
    public static VmoReply Answer(MachineState state, VmoSignals signals, VmoCall call)
    {
        var needed = call switch
        {
            GetNameCall or GetContentSizeCall => VmoRights.GetProperty,
            InfoCall { Topic: InfoTopic.HandleCount } => VmoRights.Inspect,
            _ => VmoRights.None,
        };
        var outcome = Authority.Check(state.Record.Handles, call.Head.Secret, needed, state.Now, out var handle);
        if (!outcome.IsOk)
            return new() { Outcome = outcome };
        var version = state.Layer.Seq;
        return call switch
        {
            GetSizeCall => new() { Number = state.Layer.Size, Version = version },
            GetContentSizeCall => new() { Number = state.Layer.ContentSize, Version = version },
            GetNameCall => new() { Name = state.Record.Name, Version = version },
            InfoCall info => Info(state, signals, info.Topic, handle!),
            _ => throw new InvariantException($"a query of kind {call.GetType().Name}"),
        };
    }

    /// <summary>Operations that have no meaning here, or none at all.</summary>
    public static VmoReply Unsupported(MachineState state, OpRangeCall op)
    {
        var outcome = Authority.Check(state.Record.Handles, op.Head.Secret, VmoRights.None, state.Now, out _);
        if (!outcome.IsOk)
            return new() { Outcome = outcome };
        return Enum.IsDefined(op.Op)
            ? VmoReply.Fail(VmoStatus.NotSupported, $"{op.Op} has no meaning for a VMO of this store")
            : VmoReply.Fail(VmoStatus.InvalidArgs, $"there is no operation {(uint)op.Op}");
    }

    /// <summary>What a VMO's info says through one handle.</summary>
    public static VmoInfo Describe(MachineState state, VmoSignals signals, HandleEntry handle)
    {
        var (record, layer) = (state.Record, state.Layer);
        var stored = layer.Counts.Stored * Limits.PageBytes;
        var mayLook = (handle.Rights & VmoRights.GetProperty) != 0;
        return new()
        {
            Koid = record.Meta.Koid,
            Rights = handle.Rights,
            HandleCount = (handle.Rights & VmoRights.Inspect) != 0 ? record.Handles.LiveCount : null,
            Name = mayLook ? record.Name : null,
            Size = layer.Size,
            ContentSize = mayLook ? layer.ContentSize : null,
            IsResizable = record.Meta.IsResizable,
            Kind = record.Meta.Kind,
            Parent = record.Meta.Parent,
            Offset = record.Meta.Offset,
            ChildCount = record.Children.Count,
            CommittedBytes = layer.CommittedPages * Limits.PageBytes,
            ChargedBytes = stored,
            WouldFreeBytes = stored,
            Version = layer.Seq,
            Signals = signals,
            ExpiresMs = handle.ExpiresMs,
            Range = handle.Range,
            Labels = mayLook ? new(record.Labels, StringComparer.Ordinal) : null,
            Tenant = record.Meta.Tenant,
        };
    }

    private static VmoReply Info(MachineState state, VmoSignals signals, InfoTopic topic, HandleEntry handle) => topic switch
    {
        InfoTopic.HandleValid => new() { Version = state.Layer.Seq },
        InfoTopic.HandleBasic => new()
        {
            Rights = handle.Rights,
            Info = new() { Koid = state.Record.Meta.Koid, Rights = handle.Rights, ExpiresMs = handle.ExpiresMs, Range = handle.Range, Kind = state.Record.Meta.Kind },
            Version = state.Layer.Seq,
        },
        InfoTopic.HandleCount => new() { Number = (ulong)state.Record.Handles.LiveCount, Version = state.Layer.Seq },
        InfoTopic.Vmo => new() { Info = Describe(state, signals, handle), Signals = signals, Rights = handle.Rights, Version = state.Layer.Seq },
        _ => VmoReply.Fail(VmoStatus.NotSupported, $"there is no info topic {(int)topic}"),
    };
}
