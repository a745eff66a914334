using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Live;

/// <summary>
/// Finds what a dead session may still change that relies on a VMO's pages. Its silo may have sent a commit under a gate, and the network may
/// bring it long after the session is dead, when nobody waits for the gate any more. So whoever takes a session's grants for gone first takes
/// from it all VMOs that show these pages and that it owned: their late commits are fenced then. A session that is dead comes to own nothing
/// that it relies on, so one walk is enough.
/// </summary>
public sealed class FenceWalk
{
    private readonly IReadOnlySet<ulong> _dead;
    private readonly HashSet<Koid> _seen;
    private readonly List<(Koid Vmo, Owner Owner)> _owned = [];

    /// <param name="vmo">Whose pages the grants are of.</param>
    /// <param name="dead">The sessions.</param>
    public FenceWalk(Koid vmo, IReadOnlySet<ulong> dead) => (_dead, Needs, _seen) = (dead, [vmo], [vmo]);

    /// <summary>Records to be loaded next; empty: <see cref="Owned"/> is all.</summary>
    public IReadOnlyList<Koid> Needs { get; private set; }

    /// <summary>What is to be taken from whom.</summary>
    public IReadOnlyList<(Koid Vmo, Owner Owner)> Owned => _owned;

    /// <summary>The records that were needed, in their order; null for what is gone.</summary>
    public void Take(IReadOnlyList<StoredHash?> records)
    {
        var next = new List<Koid>();
        for (var i = 0; i < records.Count; i++)
        {
            if (records[i] is not { } stored)
                continue;
            if (_dead.Contains(stored.Owner.Session))
                _owned.Add((Needs[i], stored.Owner));
            next.AddRange(VmoRecord.Decode(stored).Children.Followers.Koids.Where(_seen.Add));
        }

        Needs = next;
    }
}
