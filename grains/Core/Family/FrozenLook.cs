using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// Puts together what an extent shows out of the parts of all layers that have a say. It goes from layer to layer with the pages that none has
/// decided yet, and keeps a list of where to look next, so that ten thousand levels are no deep call and nothing is put together for those between.
/// </summary>
internal sealed class FrozenLook(
    IReadOnlyDictionary<(LayerId Layer, ulong Extent), FrozenPart?> parts, IReadOnlyDictionary<(LayerId Layer, ulong Extent), FrozenExtent> known)
{
    private readonly FrozenExtent.Builder _shown = new();
    private readonly bool[] _isDecided = new bool[Limits.ExtentPages];
    private readonly Stack<Place> _places = [];

    /// <summary>What a layer shows in an extent.</summary>
    public FrozenExtent Show(LayerId layer, ulong extent)
    {
        var all = new Pages(Limits.ExtentPages);
        for (var i = 0; i < Limits.ExtentPages; i++)
            all.Add(i, (extent * Limits.ExtentPages) + (ulong)i);
        _places.Push(new(layer, extent, [], 0, all));
        while (_places.TryPop(out var place))
        {
            if (place.Windows.Count > 0)
                LookThrough(place);
            else if (known.TryGetValue((place.Layer, place.Extent), out var shown))
                Take(shown, place.Open);
            else
                LookAt(parts[(place.Layer, place.Extent)]!, place);
        }

        return _shown.Build();
    }

    private void Take(FrozenExtent shown, Pages open)
    {
        for (var i = 0; i < open.Count; i++)
            Decide(open.Index[i], shown[open.Page[i]]);
    }

    private void Decide(int index, in Shown shown)
    {
        if (shown.IsNothing)
            return;
        _shown.Set(index, shown);
        _isDecided[index] = true;
    }

    private void LookAt(FrozenPart part, Place place)
    {
        var (open, below) = (place.Open, part.Below);
        // What goes on in the own stack stays in the list it came in; what goes past it is few pages, unless there is no stack.
        var (under, through) = below.Under != 0 ? (open, new Pages(0)) : (new Pages(0), open);
        var count = open.Count;
        open.Count = 0;
        for (var i = 0; i < count; i++)
        {
            var (index, page) = (open.Index[i], open.Page[i]);
            var shown = part.At((int)(page % Limits.ExtentPages), out var isThrough);
            if (!shown.IsNothing)
                Decide(index, shown);
            else if (page < part.Low)
                (isThrough || below.Under == 0 ? through : under).Add(index, page);
        }

        if (through.Count > 0 && below.Bases.Count > 0)
            _places.Push(new(default, 0, below.Bases, 0, through));
        if (under.Count > 0)
            _places.Push(new(new(part.Id.Home, below.Under), place.Extent, [], 0, under));
    }

    // The windows are searched in order: the later ones for what the earlier ones show nothing of.
    private void LookThrough(Place place)
    {
        var (open, window) = (place.Open, place.Windows[place.At]);
        var isLast = place.At == place.Windows.Count - 1;
        if (!isLast)
            _places.Push(place with { At = place.At + 1 });
        var (near, far) = (isLast ? open : new Pages(open.Count), new Pages(0));
        var (count, extent) = (open.Count, ulong.MaxValue);
        near.Count = 0;
        for (var i = 0; i < count; i++)
        {
            var (index, page) = (open.Index[i], open.Page[i]);
            if (_isDecided[index] || !window.TryMap(page, out var there))
                continue;
            if (extent == ulong.MaxValue)
                extent = there / Limits.ExtentPages;
            (there / Limits.ExtentPages == extent ? near : far).Add(index, there);
        }

        if (far.Count > 0)
            _places.Push(new(window.Layer, far.Page[0] / Limits.ExtentPages, [], 0, far));
        if (near.Count > 0)
            _places.Push(new(window.Layer, extent, [], 0, near));
    }

    // A layer to be looked at; or windows, from one of them on.
    private sealed record Place(LayerId Layer, ulong Extent, IReadOnlyList<BaseRef> Windows, int At, Pages Open);

    // Pages, rising: which they are of the extent that is asked for, and which of the layer that is looked at.
    private sealed class Pages(int capacity)
    {
        public int[] Index { get; private set; } = new int[capacity];
        public ulong[] Page { get; private set; } = new ulong[capacity];
        public int Count { get; set; }

        public void Add(int index, ulong page)
        {
            if (Count == Index.Length)
            {
                var length = Math.Max(16, 2 * Count);
                var (wider, pages) = (new int[length], new ulong[length]);
                Index.CopyTo(wider, 0);
                Page.CopyTo(pages, 0);
                (Index, Page) = (wider, pages);
            }

            (Index[Count], Page[Count++]) = (index, page);
        }
    }
}
