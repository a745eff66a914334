using VmoCluster.Core.Family;

namespace VmoCluster.Core.Live;

/// <summary>
/// A silo's right to show what one VMO's own layers hold in one extent, until the VMO recalls it. What the VMO looks through frozen is merged
/// in; where it says nothing and follows a live parent, the parent is asked. Where it says nothing in many extents side by side, one grant says so of
/// all of them. A grant of the whole VMO shows nothing by itself: it says that no page of it has changed, nor its size.
/// </summary>
public sealed class Grant
{
    /// <summary>Views made of it up to which nobody looks for those that have gone.</summary>
    private const int ViewsMin = 16;

    // The gates of the views made of it, which live longer than a view that is not looked at any more: somebody may be inside.
    private readonly List<(Gate Gate, WeakReference<LiveView> View)> _views = [];
    private volatile bool _isRecalled;
    private int _cleanAt = ViewsMin;
    private Task? _recall;

    public required Koid Vmo { get; init; }
    public required GrantArea Area { get; init; }

    /// <summary>The session of the silo that holds it: it ends with that.</summary>
    public required ulong Session { get; init; }

    /// <summary>What it shows; absent: nothing of its own. Empty for more than one extent.</summary>
    public required FrozenExtent Shown { get; init; }

    /// <summary>The VMO's size in pages; beyond, it shows nothing and asks nobody.</summary>
    public required ulong Size { get; init; }

    /// <summary>The live parent to be asked where it shows nothing; None if there is none.</summary>
    public required Koid Parent { get; init; }

    /// <summary>Where in the parent the VMO begins, in pages.</summary>
    public required ulong ParentOffset { get; init; }

    /// <summary>Pages of the parent, exclusive, beyond which it is not asked.</summary>
    public ulong ParentEnd { get; init; } = ulong.MaxValue;

    /// <summary>Whom the VMO names of its live ancestors beyond the parent.</summary>
    public Lineage Lineage { get; init; } = Lineage.None;

    public bool IsRecalled => _isRecalled;

    /// <summary>Bytes of memory it takes, about.</summary>
    public int MemoryBytes => 400 + Shown.MemoryBytes;

    /// <summary>When it was last asked for, by the count of its holder, who guards it.</summary>
    internal long Touched { get; set; }

    /// <summary>What a commit enters that relies on this grant alone, and not on a view.</summary>
    internal Gate Gate { get; } = new();

    /// <summary>Takes it away: from here on nothing is shown through it. Done when nobody is inside its gate, or that of a view made of it, any more.</summary>
    public Task RecallAsync()
    {
        lock (_views)
        {
            if (_recall is not null)
                return _recall;
            _isRecalled = true;
            List<Task> waits = [Gate.CloseAsync(), .. _views.Select(view => view.Gate.CloseAsync())];
            _views.Clear();
            waits.RemoveAll(wait => wait.IsCompleted);
            return _recall = Task.WhenAll(waits);
        }
    }

    /// <summary>The views made of it that somebody still has.</summary>
    internal List<LiveView> Views()
    {
        lock (_views)
        {
            var views = new List<LiveView>(_views.Count);
            foreach (var (_, reference) in _views)
            {
                if (reference.TryGetTarget(out var view))
                    views.Add(view);
            }

            return views;
        }
    }

    /// <summary>When it, or a view made of it, was last used; now, if the view was since somebody asked.</summary>
    internal long UsedAt(long now)
    {
        var used = Touched;
        lock (_views)
        {
            foreach (var (gate, reference) in _views)
            {
                if (!gate.IsClosed && reference.TryGetTarget(out var view))
                    used = Math.Max(used, view.UsedAt(now));
            }
        }

        return used;
    }

    internal bool TryAdd(Gate gate, WeakReference<LiveView> view)
    {
        lock (_views)
        {
            if (_isRecalled)
                return false;
            if (_views.Count >= _cleanAt)
            {
                _views.RemoveAll(item => item.Gate.IsEmpty && (item.Gate.IsClosed || !item.View.TryGetTarget(out _)));
                _cleanAt = Math.Max(ViewsMin, 2 * _views.Count);
            }

            _views.Add((gate, view));
            return true;
        }
    }
}
