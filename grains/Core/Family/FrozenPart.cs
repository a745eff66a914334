using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>One extent of one frozen layer as stored: its leaves without dead slots, its runs, and what lies under it.</summary>
public sealed class FrozenPart
{
    private readonly Leaf?[] _leaves = new Leaf?[Limits.ExtentLeaves];
    private readonly List<Run> _runs;
    private readonly ulong _first;
    private bool? _asksBelow;

    private FrozenPart(LayerId id, ulong extent, Below below, ulong low, List<Run> runs)
    {
        (Id, Below, Low, _runs) = (id, below, low, runs);
        _first = extent * Limits.ExtentPages;
    }

    public LayerId Id { get; }
    public Below Below { get; }

    /// <summary>Pages from here on see nothing below: the lowest size since the layer was made.</summary>
    public ulong Low { get; }

    /// <summary>The fields to load for an extent.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> NamesOf(ulong extent)
    {
        var names = new ReadOnlyMemory<byte>[Limits.ExtentLeaves + 4];
        for (var i = 0; i < Limits.ExtentLeaves; i++)
            names[i] = FieldNames.Leaf((extent * Limits.ExtentLeaves) + (ulong)i);
        (names[^4], names[^3], names[^2], names[^1]) = (FieldNames.Size, FieldNames.Runs, FieldNames.Below, FieldNames.Lineage);
        return names;
    }

    /// <summary>Whom a loaded layer names further down.</summary>
    public static Lineage LineageOf(StoredHash stored)
    {
        foreach (var field in stored.Fields)
        {
            if (field.Name.Span.SequenceEqual(FieldNames.Lineage.Span))
                return Lineage.Hint(field.Value.Span);
        }

        return Lineage.None;
    }

    /// <summary>Reads what was loaded. Damage throws <see cref="InvalidDataException"/>.</summary>
    public static FrozenPart Decode(LayerId id, ulong extent, StoredHash stored)
    {
        var (below, low, runs) = (Below.Nothing, ulong.MaxValue, new List<Run>());
        foreach (var field in stored.Fields)
        {
            if (field.Name.Span.SequenceEqual(FieldNames.Below.Span))
                below = Below.Decode(field.Value.Span);
            else if (field.Name.Span.SequenceEqual(FieldNames.Runs.Span))
                runs = Run.Decode(field.Value.Span);
            else if (field.Name.Span.SequenceEqual(FieldNames.Size.Span))
                low = LayerHead.DecodeSize(field.Value.Span).Low;
        }

        var part = new FrozenPart(id, extent, below, low, runs);
        foreach (var field in stored.Fields)
        {
            if (FieldNames.TryReadLeaf(field.Name.Span, out var number) && LeafCodec.Decode(field.Value.Span) is { } leaf)
                part._leaves[number % Limits.ExtentLeaves] = Runs.Clean(runs, number, leaf);
        }

        return part;
    }

    /// <summary>Whom a loaded layer asks first; nobody if that cannot be read.</summary>
    public static Ancestor? NextOf(LayerId layer, StoredHash stored)
    {
        foreach (var field in stored.Fields)
        {
            if (!field.Name.Span.SequenceEqual(FieldNames.Below.Span))
                continue;
            try
            {
                return Below.Decode(field.Value.Span).NextOf(layer.Home);
            }
            catch (Exception exception) when (exception is InvalidDataException or OverflowException)
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>Whether some page of the extent is decided further down.</summary>
    public bool AsksBelow => _asksBelow ??= FindsNothing();

    /// <summary>Whether the layer itself says nothing about any page of the extent.</summary>
    public bool IsSilent => _leaves.All(leaf => leaf is null) && !_runs.Any(run => !run.IsClearing && run.Range.Overlaps(new(new(_first), Limits.ExtentPages)));

    private bool FindsNothing()
    {
        if (Below.IsNothing || _first >= Low)
            return false;
        if (_runs.Count == 0 && Array.IndexOf(_leaves, null) >= 0)
            return true;
        for (var i = 0; i < Limits.ExtentPages; i++)
        {
            if (At(i, out var isThrough).IsNothing || isThrough)
                return true;
        }

        return false;
    }

    /// <summary>What the layer itself says. Nothing with <paramref name="isThrough"/>: skip the own stack.</summary>
    public Shown At(int index, out bool isThrough)
    {
        var slot = _leaves[index / Limits.LeafPages] is { } leaf ? leaf[index % Limits.LeafPages] : default;
        isThrough = slot.State == SlotState.Through;
        if (isThrough)
            return default;
        if (!slot.IsAbsent)
            return new(Id, slot);
        foreach (var run in _runs)
        {
            if (run.IsClearing || !run.Range.Contains(new(_first + (ulong)index)))
                continue;
            isThrough = run.Kind == RunKind.Through;
            return isThrough ? default : new(Id, run.Kind == RunKind.Committed ? Slot.CommittedZero(run.Version) : Slot.Zero(run.Version));
        }

        return default;
    }
}
