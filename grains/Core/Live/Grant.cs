using VmoCluster.Core.Family;

namespace VmoCluster.Core.Live;

/// <summary>
/// A silo's right to show what one VMO's own layers hold in one extent, until the VMO recalls it. What the VMO looks through frozen is merged
/// in; where it says nothing and follows a live parent, the parent is asked. A grant of the whole VMO shows nothing by itself: it says that no
/// page of it has changed, nor its size.
/// </summary>
public sealed class Grant
{
    /// <summary>The extent that stands for all pages and the size.</summary>
    public const ulong Whole = ulong.MaxValue;

    private readonly List<WeakReference<LiveView>> _views = [];
    private volatile bool _isRecalled;
    private int _inside;
    private TaskCompletionSource? _left;

    public required Koid Vmo { get; init; }
    public required ulong Extent { get; init; }

    /// <summary>The session of the silo that holds it: it ends with that.</summary>
    public required ulong Session { get; init; }

    /// <summary>What it shows; absent: nothing of its own.</summary>
    public required FrozenExtent Shown { get; init; }

    /// <summary>The VMO's size in pages; beyond, it shows nothing and asks nobody.</summary>
    public required ulong Size { get; init; }

    /// <summary>The live parent to be asked where it shows nothing; None if there is none.</summary>
    public required Koid Parent { get; init; }

    /// <summary>Where in the parent the VMO begins, in pages.</summary>
    public required ulong ParentOffset { get; init; }

    /// <summary>Pages of the parent, exclusive, beyond which it is not asked.</summary>
    public ulong ParentEnd { get; init; } = ulong.MaxValue;

    public bool IsRecalled => _isRecalled;

    /// <summary>Takes it away: from here on nothing is shown through it. Done when nobody is inside its gate any more.</summary>
    public Task RecallAsync()
    {
        lock (_views)
        {
            _isRecalled = true;
            foreach (var reference in _views)
            {
                if (reference.TryGetTarget(out var view))
                    view.Invalidate();
            }

            _views.Clear();
            return _inside == 0 ? Task.CompletedTask : (_left ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Enters the gate: until it is left, a recall waits. False: it was recalled.</summary>
    internal bool TryEnter()
    {
        lock (_views)
        {
            if (_isRecalled)
                return false;
            _inside++;
            return true;
        }
    }

    internal void Leave()
    {
        lock (_views)
        {
            Invariant.Holds(_inside > 0, "a gate is left that nobody is in");
            if (--_inside == 0)
                _left?.TrySetResult();
        }
    }

    internal bool TryAdd(LiveView view)
    {
        lock (_views)
        {
            if (_isRecalled)
                return false;
            _views.RemoveAll(reference => !reference.TryGetTarget(out _));
            _views.Add(new(view));
            return true;
        }
    }
}
