using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Record;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>A VMO about to be: what its record and first layer begin with.</summary>
public sealed class VmoCreation
{
    private readonly VmoMeta _meta;
    private readonly HandleEntry _handle;
    private readonly PreparedSlot _ring;
    private readonly RequestRing _requests = new();
    private readonly string _name;
    private readonly Dictionary<string, string> _labels;

    private readonly Below _below;
    private readonly IReadOnlyList<PageRange> _hidden;
    private readonly List<Run> _runs;
    private readonly Lineage _layerLineage;
    private readonly Lineage _lineage;

    private VmoCreation(
        VmoMeta meta, HandleEntry handle, string name, Dictionary<string, string> labels, ulong size, ulong contentSize, Below below, IReadOnlyList<PageRange> hidden, Lineage layerLineage,
        Lineage lineage, RequestId request, long nowMs)
    {
        (_layerLineage, _lineage) = (layerLineage, lineage);
        (_meta, _handle, _name, _labels, _below, _hidden) = (meta, handle, name, labels, below, hidden);
        _runs = [.. hidden.Select(range => new Run(range, RunKind.Zero, 1))];
        (Size, ContentSize) = (size, contentSize);
        _ring = _requests.Prepare(request.IsNone ? [] : [new(request, 0, (ulong)handle.Rights)], nowMs);
    }

    /// <summary>Bytes, rounded.</summary>
    public ulong Size { get; }

    /// <summary>Bytes as asked for.</summary>
    public ulong ContentSize { get; }

    /// <summary>The first layer.</summary>
    public LayerId Layer => new(_meta.Koid, 1);

    public VmoRights Rights => _handle.Rights;

    public Koid Koid => _meta.Koid;

    /// <summary>Whether its handle is closed unless its receiver is heard of.</summary>
    public bool MustBeConfirmed => _handle.ConfirmByMs != 0;

    /// <summary>The layer's fields.</summary>
    public IReadOnlyList<StoreField> LayerFields => LayerHead.NewFields(Size, ContentSize, Size / Limits.PageBytes, _below, _runs, _layerLineage);

    /// <summary>The record's fields.</summary>
    public IReadOnlyList<StoreField> RecordFields => VmoRecord.NewFields(_meta, _name, _labels, _handle, _hidden, _ring.Field, _lineage);

    /// <summary>What stands against a creation, whatever koid it gets; Ok if nothing (semantics 1.3: options, then size).</summary>
    public static Outcome Check(CreateCall call)
    {
        if ((call.Options & ~VmoOptions.NonResizable) != 0)
            return new(VmoStatus.InvalidArgs, $"options {(uint)call.Options:x} have bits that mean nothing; known is {(uint)VmoOptions.NonResizable} (not resizable)");
        var outcome = Sizes.TryRound(call.Size, out _);
        if (outcome.IsOk)
            outcome = Text.TryName(call.Name, out _);
        if (outcome.IsOk)
            outcome = LabelCodec.Check(call.Labels);
        return outcome.IsOk && call.Head.Secret.IsNone ? new(VmoStatus.InvalidArgs, "the new handle's secret is empty") : outcome;
    }

    /// <summary>A root, out of a call that <see cref="Check"/> let pass.</summary>
    public static VmoCreation Root(Koid koid, CreateCall call, Instant now)
    {
        Sizes.TryRound(call.Size, out var size);
        Text.TryName(call.Name, out var name);
        var meta = new VmoMeta(koid, VmoKind.Root, Koid.None, 0, call.Options, call.Head.Caller?.Tenant ?? Caller.Anonymous.Tenant, now.UnixMs);
        var handle = new HandleEntry(1, call.Head.Secret.Hash(), HandleRights.OfNewVmo, 0, 0, null, call.Confirmed ? 0 : now.UnixMs + Limits.ConfirmWithinMs, IsClosed: false);
        return new(meta, handle, name, call.Labels is null ? [] : new(call.Labels, StringComparer.Ordinal), size, call.Size, Below.Nothing, [], Lineage.None, Lineage.None, call.Head.Request, now.UnixMs);
    }

    /// <summary>A child, as its parent has decided it: the same whenever it is written.</summary>
    /// <param name="birth">What was decided.</param>
    /// <param name="layerLineage">Whom its first layer names.</param>
    /// <param name="lineage">Whom it names of its live ancestors.</param>
    internal static VmoCreation Child(Birth birth, Lineage layerLineage, Lineage lineage) => new(
        birth.Meta, birth.Handle, birth.Name, [], birth.Size, birth.ContentSize, new(0, birth.Bases),
        birth.Zero, layerLineage, lineage, RequestId.None, birth.Meta.CreatedMs);

    internal LayerHead ToLayer(IMapBudget budget) =>
        LayerHead.New(Layer, 1, Size, ContentSize, Size / Limits.PageBytes, _below, [.. _runs], _layerLineage, budget);

    internal VmoRecord ToRecord()
    {
        var record = new VmoRecord { Meta = _meta, Top = Layer, Seq = 1, Name = _name, Labels = _labels, Hidden = _hidden, Lineage = _lineage, NextHandle = _handle.Number + 1, Ring = _requests };
        record.Handles.Put(_handle);
        _requests.Publish(_ring);
        return record;
    }
}
