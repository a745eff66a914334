using VmoCluster.Core.Contents;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// What a frozen layer shows in one extent, everything under it included. True for ever, so it is shared by all of a silo that look through
/// the layer; where a layer adds nothing to the one under it, both show the same object.
/// </summary>
public sealed class FrozenExtent
{
    private readonly Shown[]?[] _leaves;

    private FrozenExtent(Shown[]?[] leaves) => _leaves = leaves;

    /// <summary>Nothing anywhere.</summary>
    public static FrozenExtent Empty { get; } = new(new Shown[]?[Limits.ExtentLeaves]);

    /// <summary>Bytes of memory it takes.</summary>
    public int MemoryBytes
    {
        get
        {
            var leaves = 0;
            foreach (var leaf in _leaves)
                leaves += leaf is null ? 0 : 1;
            return 200 + (leaves * ((Limits.LeafPages * 40) + 24));
        }
    }

    /// <summary>What a page of the extent shows.</summary>
    public Shown this[ulong page] =>
        _leaves[(int)(Leaf.Of(page) % Limits.ExtentLeaves)] is { } leaf ? leaf[Leaf.IndexOf(page)] : default;

    /// <summary>Whether some page's bytes lie in a layer.</summary>
    public bool Names(LayerId layer)
    {
        foreach (var leaf in _leaves)
        {
            for (var i = 0; leaf is not null && i < leaf.Length; i++)
            {
                if (leaf[i].Layer == layer && leaf[i].IsStored)
                    return true;
            }
        }

        return false;
    }

    /// <summary>Puts an extent together page by page.</summary>
    public sealed class Builder
    {
        private readonly Shown[]?[] _leaves = new Shown[]?[Limits.ExtentLeaves];
        private bool _isEmpty = true;

        public void Set(int page, in Shown shown)
        {
            if (shown.IsNothing)
                return;
            _isEmpty = false;
            (_leaves[page / Limits.LeafPages] ??= new Shown[Limits.LeafPages])[page % Limits.LeafPages] = shown;
        }

        public FrozenExtent Build() => _isEmpty ? Empty : new(_leaves);
    }
}
