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
        var root = (layer, extent);
        var open = new Stack<(LayerId Layer, ulong Extent)>([root]);
        while (open.TryPeek(out var at))
        {
            if (_known.ContainsKey(at))
            {
                open.Pop();
                continue;
            }

            var part = _parts[at]!;
            var waits = false;
            if (part.AsksBelow)
            {
                foreach (var ask in AsksOf(part, at.Extent).Where(ask => !_known.ContainsKey(ask)))
                {
                    open.Push(ask);
                    waits = true;
                }
            }

            if (waits)
                continue;
            open.Pop();
            _known[at] = Lay(part, at.Extent);
        }

        return _known[root];
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

    private FrozenExtent Lay(FrozenPart part, ulong extent)
    {
        var first = extent * Limits.ExtentPages;
        if (part.IsSilent && part.Low >= first + Limits.ExtentPages)
        {
            // It adds nothing: both show the same.
            if (part.Below.Under != 0)
                return _known[(new(part.Id.Home, part.Below.Under), extent)];
            if (part.Below.Bases is [var only] && only.Offset % Limits.ExtentPages == 0 && only.TryMap(first + Limits.ExtentPages - 1, out var there))
                return _known[(only.Layer, there / Limits.ExtentPages)];
        }

        var builder = new FrozenExtent.Builder();
        for (var i = 0; i < Limits.ExtentPages; i++)
        {
            var page = first + (ulong)i;
            var shown = part.At(i, out var isThrough);
            if (shown.IsNothing && page < part.Low)
                shown = !isThrough && part.Below.Under != 0 ? _known[(new(part.Id.Home, part.Below.Under), extent)][page] : ThroughBases(part.Below, page);
            builder.Set(i, shown);
        }

        return builder.Build();
    }

    private Shown ThroughBases(Below below, ulong page)
    {
        foreach (var item in below.Bases)
        {
            if (item.TryMap(page, out var there) && _known[(item.Layer, there / Limits.ExtentPages)][there] is { IsNothing: false } shown)
                return shown;
        }

        return default;
    }
}
