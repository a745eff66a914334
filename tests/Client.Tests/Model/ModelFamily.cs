using VmoCluster.Messages;

namespace VmoCluster.Client.Tests.Model;

/// <summary>Families in the model: whatever the kind, a clone is a copy of the window. What a kind means is not the client's to know.</summary>
public sealed partial class ModelCluster
{
    /// <summary>What a scrub finds, by the VMO it concerns.</summary>
    public List<ScrubFinding> Damage { get; } = [];

    public CloneCall? LastClone { get; private set; }

    private VmoReply Clone(ModelVmo parent, CloneCall call)
    {
        LastClone = call;
        if (call.Count is < 1 or > Limits.CloneCountMax)
            return VmoReply.Fail(VmoStatus.OutOfRange, $"{call.Count} clones");
        foreach (var spec in call.Specs)
        {
            if (spec.SeedOptions is { } options && ((options & 1) == 0 || (options & ~3u) != 0))
                return VmoReply.Fail(VmoStatus.InvalidArgs, $"options {options:x}");
            if (spec.SeedOptions is null && spec.Kind is < VmoKind.Live or > VmoKind.Reference)
                return VmoReply.Fail(VmoStatus.InvalidArgs, $"kind {(int)spec.Kind}");
            if (spec.Offset % Limits.PageBytes != 0)
                return VmoReply.Fail(VmoStatus.InvalidArgs, $"offset {spec.Offset}");
        }

        var (first, rights) = (new Koid(_lastKoid + 1), VmoRights.None);
        for (var i = 0; i < call.Count; i++)
        {
            var spec = call.Specs[call.Specs.Length == 1 ? 0 : i];
            var child = Copy(parent, spec, spec.Name is { } name && call.Specs.Length == 1 && call.Count > 1 ? $"{name}-{i}" : spec.Name);
            var given = (parent.Handles[call.Head.Secret].Rights | (spec.NoWrite ? 0 : VmoRights.Write)) & ~(spec.NoWrite ? VmoRights.Write : 0);
            child.Handles[call.Seed.Child(i)] = new(given & (spec.Rights ?? given)) { IsConfirmed = call.Confirmed };
            rights = i == 0 ? given & (spec.Rights ?? given) : rights;
        }

        return new() { Koid = first, Rights = rights, Number = _vmos[first].Size };
    }

    private ModelVmo Copy(ModelVmo parent, CloneSpec spec, string? name)
    {
        var size = spec.SeedOptions is null && spec.Kind == VmoKind.Reference ? parent.Size : spec.Size;
        var child = new ModelVmo(new(++_lastKoid), size)
        {
            Kind = spec.SeedOptions is null ? spec.Kind : VmoKind.Live,
            Parent = parent.Koid,
            Offset = spec.Offset,
            Options = spec.NonResizable || (spec.SeedOptions & 2) != 0 ? VmoOptions.NonResizable : VmoOptions.None,
            Name = name ?? parent.Name,
        };
        if (spec.Offset < parent.Size)
        {
            var shown = (int)Math.Min(parent.Size - spec.Offset, child.Size);
            parent.Bytes.AsSpan((int)spec.Offset, shown).CopyTo(child.Bytes);
        }

        foreach (var range in spec.Zero ?? [])
            child.Bytes.AsSpan((int)range.Offset, (int)range.Length).Clear();
        return _vmos[child.Koid] = child;
    }

    // Three nodes an answer: who wants the family must ask on.
    private VmoReply Tree(ModelVmo vmo, TreeCall call)
    {
        var ancestors = new List<TreeNode>();
        for (var above = vmo.Parent; call.After.IsNone && !above.IsNone; above = _vmos[above].Parent)
            ancestors.Insert(0, NodeOf(_vmos[above]) with { Name = null });
        var below = _vmos.Values.Where(other => other.Koid > call.After && IsUnder(other, vmo.Koid)).OrderBy(other => other.Koid).ToArray();
        return new() { Tree = [.. ancestors, .. below.Take(3).Select(NodeOf)], Number = below.Length > 3 ? 1u : 0u };
    }

    private bool IsUnder(ModelVmo vmo, Koid top)
    {
        for (; vmo.Koid != top; vmo = _vmos[vmo.Parent])
        {
            if (vmo.Parent.IsNone)
                return false;
        }

        return true;
    }

    private TreeNode NodeOf(ModelVmo vmo) => new()
    {
        Koid = vmo.Koid,
        Parent = vmo.Parent,
        Kind = vmo.Kind,
        Offset = vmo.Offset,
        Size = vmo.Size,
        OwnPages = 7,
        CommittedBytes = ulong.MaxValue,
        ChargedBytes = 1UL << 63,
        Name = vmo.Name,
        IsGhost = vmo.Handles.Count == 0,
        ChildCount = _vmos.Values.Count(other => other.Parent == vmo.Koid),
    };

    // The chain up to the root, of which the last has the bytes.
    private VmoReply Explain(ModelVmo vmo, ExplainCall call)
    {
        if (call.Page >= vmo.Size / Limits.PageBytes)
            return VmoReply.Fail(VmoStatus.OutOfRange, $"page {call.Page}, the size is {vmo.Size}");
        var levels = new List<ExplainLevel>();
        for (var (at, offset) = (vmo, call.Page * Limits.PageBytes); ; at = _vmos[at.Parent])
        {
            levels.Add(new() { Koid = at.Koid, Kind = at.Kind, Offset = offset, Layer = $"{at.Koid}.1", Answer = at.Parent.IsNone ? "own" : "parent" });
            offset += at.Offset;
            if (at.Parent.IsNone)
                break;
        }

        var isData = vmo.Bytes.AsSpan((int)call.Page * Limits.PageBytes, Limits.PageBytes).ContainsAnyExcept((byte)0);
        return new()
        {
            Explanation = new() { Levels = [.. levels], Blob = isData ? "b1[0]" : null, Charged = isData ? [new(levels[^1].Koid, 4096)] : [] },
        };
    }

    // One VMO a portion.
    private ScrubReply Scrub(ScrubCall call)
    {
        if (!call.Caller.IsOperator)
            return new() { Outcome = new(VmoStatus.AccessDenied, "operator only") };
        var left = _vmos.Values.Where(vmo => vmo.Koid > call.After && (call.Family.IsNone || RootOf(vmo) == RootOf(_vmos[call.Family]))).OrderBy(vmo => vmo.Koid).ToArray();
        if (left.Length == 0)
            return new();
        return new()
        {
            Checked = call.Bytes ? 10 : 1,
            Findings = [.. Damage.Where(finding => finding.Koid == left[0].Koid)],
            After = left[0].Koid,
            More = left.Length > 1,
        };
    }

    private Koid RootOf(ModelVmo vmo)
    {
        while (!vmo.Parent.IsNone)
            vmo = _vmos[vmo.Parent];
        return vmo.Koid;
    }
}
