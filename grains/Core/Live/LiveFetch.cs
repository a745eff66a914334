using VmoCluster.Core.Family;

namespace VmoCluster.Core.Live;

/// <summary>
/// Puts together what a live parent shows in one extent in few rounds: asks those that the walk needs, and with them those that lineages say it will
/// need. A grant that was asked for by a hint is one like any other, and only used where the walk comes to it by itself.
/// </summary>
/// <param name="parent">The live parent.</param>
/// <param name="extent">Which of its extents.</param>
/// <param name="find">A grant that is held; null: it must be asked for.</param>
public sealed class LiveFetch(Koid parent, ulong extent, Func<Koid, ulong, Grant?> find)
{
    private readonly LiveWalk _walk = new(parent, extent);
    private readonly AskAhead _ahead = new();

    // Those that the walk needs and that were given. One may be recalled since: then the view comes to nothing, and all begins anew.
    private readonly Dictionary<(Koid Vmo, ulong Extent), Grant> _given = [];
    private List<(Koid Vmo, ulong Extent)> _round = [];

    /// <summary>How many of a round, from its beginning, are needed; whoever else does not answer is not.</summary>
    public int Needed { get; private set; }

    /// <summary>Rounds so far.</summary>
    public int Rounds { get; private set; }

    /// <summary>Whom to ask for which extents at once; nobody: <see cref="Compose"/>.</summary>
    public IReadOnlyList<(Koid Vmo, ulong Extent)> Next()
    {
        _round = [];
        while (_walk.Needs.Count > 0 && TryMeet())
        {
        }

        Needed = _round.Count;
        if (Needed == 0)
            return _round;
        Rounds++;
        _ahead.Begin();
        while (_ahead.TryNext(out var next))
        {
            var (vmo, there) = (next.Layer.Home, next.Extent);
            if (find(vmo, there) is { } held)
            {
                Name(held, there);
                continue;
            }

            if (_round.IndexOf((vmo, there), 0, Needed) >= 0)
                continue;
            _ahead.Asked();
            _round.Add((vmo, there));
        }

        return _round;
    }

    /// <summary>One that was asked, in this round or an earlier one, has granted.</summary>
    public void Take((Koid Vmo, ulong Extent) asked, Grant grant)
    {
        if (_round.IndexOf(asked, 0, Needed) >= 0)
            _given[asked] = grant;
        else
            Name(grant, asked.Extent);
    }

    /// <summary>The view; null: something was recalled meanwhile, begin anew.</summary>
    public LiveView? Compose(ulong session) => _walk.Compose(session);

    private void Name(Grant grant, ulong extent) =>
        _ahead.Add(grant.Parent.IsNone ? null : new Ancestor(new(grant.Parent, 0), grant.ParentOffset), grant.Lineage, extent);

    // False: the round is begun by those who are needed.
    private bool TryMeet()
    {
        var needs = _walk.Needs;
        var grants = new Grant[needs.Count];
        for (var i = 0; i < grants.Length; i++)
        {
            if (_given.TryGetValue(needs[i], out var given) || (given = find(needs[i].Vmo, needs[i].Extent)) is not null)
                grants[i] = given;
            else
                _round.Add(needs[i]);
        }

        if (_round.Count > 0)
            return false;
        _walk.Take(grants);
        if (_walk.Needs.Count > 0)
            Name(grants[0], needs[0].Extent);
        return true;
    }
}
