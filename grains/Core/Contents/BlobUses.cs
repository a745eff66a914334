using VmoCluster.Core.Store;

namespace VmoCluster.Core.Contents;

/// <summary>
/// How many pages of each blob some slot still names. Exact for every blob in it: those written by this activation, and all once the whole
/// layer was looked at. A blob that is not in it and loses a page may be garbage; the layer's counts say how much of that there is.
/// </summary>
public sealed class BlobUses
{
    private readonly Dictionary<BlobId, (byte Total, byte Live)> _uses = [];

    // Blobs worth rewriting: half of their pages are dead, or they are small and whole and the allocator's classes make them dear.
    private readonly HashSet<BlobId> _halfDead = [];
    private readonly HashSet<BlobId> _small = [];

    /// <summary>Every blob of the layer is in here.</summary>
    public bool IsComplete { get; set; }

    public IEnumerable<BlobId> Blobs => _uses.Keys;

    /// <summary>Pages of all of them, dead ones included.</summary>
    public ulong Pages => (ulong)_uses.Values.Sum(use => (long)use.Total);

    /// <summary>A new blob, all of whose pages are named.</summary>
    public void Add(BlobId blob, int pages) => Set(blob, ((byte)pages, (byte)pages));

    /// <summary>A slot was found that names a page of it; for counting a whole layer.</summary>
    public void Found(in Slot slot) => Set(slot.Blob, (slot.BlobPages, (byte)(_uses.GetValueOrDefault(slot.Blob).Live + 1)));

    public bool TryGet(BlobId blob, out int total, out int live)
    {
        var found = _uses.TryGetValue(blob, out var use);
        (total, live) = (use.Total, use.Live);
        return found;
    }

    /// <summary>Takes pages away. True: none is left, and the blob of so many pages is forgotten.</summary>
    public bool Lose(BlobId blob, int pages, out int total)
    {
        total = 0;
        if (!_uses.TryGetValue(blob, out var use))
            return false;
        Invariant.Holds(pages <= use.Live, "a blob loses more pages than it has");
        total = use.Total;
        if (pages < use.Live)
        {
            Set(blob, (use.Total, (byte)(use.Live - pages)));
            return false;
        }

        _halfDead.Remove(blob);
        _small.Remove(blob);
        return _uses.Remove(blob);
    }

    /// <summary>Forgets everything, before a count of the whole layer.</summary>
    public void Clear()
    {
        _uses.Clear();
        _halfDead.Clear();
        _small.Clear();
    }

    /// <summary>
    /// Blobs worth putting together, of at most so many live pages; empty when rewriting them would gain nothing.
    /// </summary>
    public List<BlobId> Candidates(int pagesMost)
    {
        var candidates = new List<BlobId>();
        var (pages, dead) = (0, 0);
        foreach (var blob in _halfDead.Concat(_small))
        {
            var (total, live) = _uses[blob];
            if (pages + live > pagesMost)
                break;
            candidates.Add(blob);
            pages += live;
            dead += total - live;
        }

        return dead > 0 || BlobSizes.Count(pages) < candidates.Count ? candidates : [];
    }

    private void Set(BlobId blob, (byte Total, byte Live) use)
    {
        _uses[blob] = use;
        var isHalfDead = use.Live * 2 <= use.Total;
        if (isHalfDead)
            _halfDead.Add(blob);
        else
            _halfDead.Remove(blob);
        if (!isHalfDead && use.Total < BlobSizes.SmallPages)
            _small.Add(blob);
        else
            _small.Remove(blob);
    }
}
