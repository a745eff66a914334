using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// Finds out what a frozen layer shows in one extent: says which parts it needs, level by level, takes them, and puts the answer together.
/// It keeps no stack: ten thousand levels are a long list, not a deep call.
/// </summary>
public sealed class FrozenWalk(LayerId layer, ulong extent)
{
    private readonly Dictionary<(LayerId Layer, ulong Extent), FrozenPart?> _parts = new() { [(layer, extent)] = null };
    private readonly Dictionary<(LayerId Layer, ulong Extent), FrozenExtent> _known = [];
    private List<(LayerId Layer, ulong Extent)> _needs = [(layer, extent)];

    /// <summary>Parts to load next, or whole answers somebody has already. Empty: <see cref="Compose"/>.</summary>
    public IReadOnlyList<(LayerId Layer, ulong Extent)> Needs => _needs;

    /// <summary>The last needs are met: each by its part, or by a whole answer.</summary>
    public void Take(IReadOnlyList<(FrozenPart? Part, FrozenExtent? Known)> found)
    {
        var next = new List<(LayerId, ulong)>();
        for (var i = 0; i < _needs.Count; i++)
        {
            var need = _needs[i];
            if (found[i].Known is { } known)
            {
                _known[need] = known;
                continue;
            }

            var part = found[i].Part!;
            _parts[need] = part;
            if (!part.AsksBelow)
                continue;
            foreach (var ask in AsksOf(part, need.Extent))
            {
                if (_parts.TryAdd(ask, null))
                    next.Add(ask);
            }
        }

        _needs = next;
    }

    /// <summary>The answer, when nothing more is needed.</summary>
    public FrozenExtent Compose()
    {
        var at = (Layer: layer, Extent: extent);
        // What adds nothing shows what the one under it shows: the same object.
        for (; !_known.ContainsKey(at); at = SameAs(_parts[at]!, at.Extent)!.Value)
        {
            if (SameAs(_parts[at]!, at.Extent) is null)
                return new FrozenLook(_parts, _known).Show(at.Layer, at.Extent);
        }

        return _known[at];
    }

    private static IEnumerable<(LayerId Layer, ulong Extent)> AsksOf(FrozenPart part, ulong extent)
    {
        if (part.Below.Under != 0)
            yield return (new(part.Id.Home, part.Below.Under), extent);
        var first = extent * Limits.ExtentPages;
        foreach (var item in part.Below.Bases)
        {
            if (!item.TryMap(first, out var from))
                continue;
            yield return (item.Layer, from / Limits.ExtentPages);
            var last = Math.Min(from + Limits.ExtentPages, item.Limit) - 1;
            if (last / Limits.ExtentPages != from / Limits.ExtentPages)
                yield return (item.Layer, last / Limits.ExtentPages);
        }
    }

    private static (LayerId Layer, ulong Extent)? SameAs(FrozenPart part, ulong extent)
    {
        var first = extent * Limits.ExtentPages;
        if (!part.IsSilent || part.Low < first + Limits.ExtentPages)
            return null;
        if (part.Below.Under != 0)
            return (new(part.Id.Home, part.Below.Under), extent);
        return part.Below.Bases is [var only] && only.Offset % Limits.ExtentPages == 0 && only.TryMap(first + Limits.ExtentPages - 1, out var there)
            ? (only.Layer, there / Limits.ExtentPages)
            : null;
    }
}
