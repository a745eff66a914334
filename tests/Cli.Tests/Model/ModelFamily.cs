using VmoCluster.Messages;

namespace VmoCluster.Cli.Tests.Model;

/// <summary>Families in the model: a clone of any kind is a copy of the window.</summary>
internal sealed partial class ModelTransport
{
    /// <summary>What a scrub finds.</summary>
    public List<ScrubFinding> Damage { get; } = [];

    public ScrubCall? LastScrub { get; private set; }

    public CloneCall? LastClone { get; private set; }

    public ValueTask<ScrubReply> ScrubAsync(ScrubCall call, CancellationToken cancellation)
    {
        lock (_lock)
        {
            LastScrub = call;
            if (!IsOperator)
                return new(new ScrubReply { Outcome = new(VmoStatus.AccessDenied, "the operator's credential is needed") });
            if (Before("scrub") is { IsOk: false } refused)
                return new(new ScrubReply { Outcome = refused });

            // One finding a portion.
            var left = Damage.Where(finding => finding.Koid > call.After).ToArray();
            return new(new ScrubReply { Checked = 5, Findings = left[..Math.Min(1, left.Length)], After = left.Length == 0 ? default : left[0].Koid, More = left.Length > 1 });
        }
    }

    private VmoReply Clone(Koid koid, ModelVmo parent, ModelHandle handle, CloneCall call)
    {
        LastClone = call;
        var (first, rights) = (new Koid(_lastKoid + 1), VmoRights.None);
        foreach (var spec in call.Specs)
        {
            if (spec.SeedOptions is { } options && (options is 0 or > 3))
                return VmoReply.Fail(VmoStatus.InvalidArgs, $"options 0x{options:x}");
            if (spec.Offset % Limits.PageBytes != 0)
                return VmoReply.Fail(VmoStatus.InvalidArgs, $"offset {spec.Offset} is not whole pages");
            if (spec.Kind == VmoKind.Slice && !new ByteRange(spec.Offset, spec.Size).IsInside(parent.Size))
                return VmoReply.Fail(VmoStatus.InvalidArgs, "a slice must lie inside");
        }

        for (var i = 0; i < call.Count; i++)
        {
            var spec = call.Specs[call.Specs.Length == 1 ? 0 : i];
            var size = spec.Kind == VmoKind.Reference ? parent.Size : (spec.Size + Limits.PageBytes - 1) / Limits.PageBytes * Limits.PageBytes;
            var child = new ModelVmo
            {
                Size = size,
                ContentSize = size,
                IsFixed = spec.NonResizable || (spec.SeedOptions & 2) != 0,
                Kind = spec.Kind,
                Parent = koid,
                Offset = spec.Offset,
                Name = spec.Name is { } name ? (call.Count > 1 ? $"{name}-{i}" : name) : parent.Name,
            };
            foreach (var (page, bytes) in parent.Pages.Where(p => p.Key * Limits.PageBytes >= spec.Offset && (p.Key * Limits.PageBytes) - spec.Offset < size))
                child.Pages[page - (spec.Offset / Limits.PageBytes)] = (byte[])bytes.Clone();
            foreach (var range in spec.Zero ?? [])
                child.Write(range.Offset, new byte[range.Length]);
            rights = spec.NoWrite ? handle.Rights & ~VmoRights.Write : handle.Rights | VmoRights.Write;
            child.Handles[call.Seed.Child(i)] = new(rights, 0, null, default);
            Vmos[new(++_lastKoid)] = child;
        }

        return new() { Koid = first, Rights = rights };
    }

    private VmoReply Tree(Koid koid)
    {
        var nodes = new List<TreeNode>();
        for (var above = Vmos[koid].Parent; !above.IsNone; above = Vmos[above].Parent)
            nodes.Insert(0, NodeOf(above) with { Name = null });
        var under = new HashSet<Koid> { koid };
        foreach (var (other, vmo) in Vmos.OrderBy(v => v.Key))
        {
            if (under.Contains(other) || (under.Contains(vmo.Parent) && under.Add(other)))
                nodes.Add(NodeOf(other));
        }

        return new() { Tree = [.. nodes] };
    }

    private TreeNode NodeOf(Koid koid)
    {
        var vmo = Vmos[koid];
        return new()
        {
            Koid = koid,
            Parent = vmo.Parent,
            Kind = vmo.Kind,
            Offset = vmo.Offset,
            Size = vmo.Size,
            OwnPages = (ulong)vmo.Pages.Count,
            CommittedBytes = (ulong)vmo.Pages.Count * Limits.PageBytes,
            ChargedBytes = vmo.StoredBytes,
            Name = vmo.Name,
            IsGhost = vmo.Handles.Count == 0,
            ChildCount = Vmos.Values.Count(other => other.Parent == koid),
        };
    }

    private static VmoReply Explain(Koid koid, ModelVmo vmo, ExplainCall call)
    {
        if (call.Page >= vmo.Size / Limits.PageBytes)
            return VmoReply.Fail(VmoStatus.OutOfRange, $"page {call.Page} of {vmo.Size / Limits.PageBytes}");
        var isOwn = vmo.Pages.ContainsKey(call.Page);
        return new()
        {
            Explanation = new()
            {
                Levels = [new() { Koid = koid, Kind = vmo.Kind, Offset = call.Page * Limits.PageBytes, Layer = $"{koid}.1", Answer = isOwn ? "own" : "absent" }],
                Blob = isOwn ? $"{koid}.1.b7[0]" : null,
                Charged = isOwn ? [new(koid, Limits.PageBytes)] : [],
            },
        };
    }
}
