using VmoCluster.Core.Family;
using VmoCluster.Messages;

namespace VmoCluster.Core.Live;

/// <summary>
/// Gathers a moment: says which live ancestors are to be asked at once for their pins and the grants of the whole of them, and takes the answers:
/// the next one up that is not known yet, and those further up that lineages name. An ancestor that answered an earlier walk of the same call, and has
/// not changed since, is not asked again.
/// </summary>
public sealed class MomentWalk
{
    private readonly PinCall _call;
    private readonly Dictionary<Koid, LiveLevel> _known;
    private readonly List<LiveLevel> _levels = [];

    // Those asked because a lineage named them, until the walk comes to them.
    private readonly Dictionary<Koid, LiveLevel> _ahead = [];
    private readonly HashSet<Koid> _named = [];
    private readonly List<Koid> _round = [];
    private Koid _need;

    /// <param name="first">The nearest live ancestor.</param>
    /// <param name="lineage">Those beyond it that the VMO names.</param>
    /// <param name="call">What each of them is asked.</param>
    /// <param name="known">What earlier walks found.</param>
    public MomentWalk(Koid first, Lineage lineage, PinCall call, IReadOnlyList<LiveLevel> known)
    {
        (_call, _known) = (call, known.ToDictionary(level => level.Vmo));
        GoOn(first);
        Name(Koid.None, lineage);
        _named.UnionWith(_known.Keys);
    }

    /// <summary>The ancestors to be asked at once, the one that is needed first, with <see cref="Call"/>; nobody: all have answered, or it has failed.</summary>
    public IReadOnlyList<Koid> Next()
    {
        _round.Clear();
        if (_need.IsNone)
            return _round;
        _round.Add(_need);
        foreach (var vmo in _named)
        {
            if (_round.Count + _levels.Count + _ahead.Count < Limits.LiveLevelsMax && vmo != _need && !_ahead.ContainsKey(vmo) && !IsKnown(vmo) && !IsTaken(vmo))
                _round.Add(vmo);
        }

        // Each once: one that has not answered is asked again when it is needed.
        _named.Clear();
        return _round;
    }

    /// <summary>What they are asked.</summary>
    public PinCall Call => _call;

    /// <summary>Why the walk has ended early; Ok if it has not.</summary>
    public Outcome Failure { get; private set; }

    /// <summary>What was found so far; when it has failed, all that was found, also by earlier walks: what is pinned there is to be unpinned some day.</summary>
    public IReadOnlyList<LiveLevel> Levels => Failure.IsOk ? _levels : [.. _levels, .. _ahead.Values, .. _known.Values.Where(level => !_ahead.ContainsKey(level.Vmo) && !IsTaken(level.Vmo))];

    /// <summary>Those that were asked and are no ancestors: what is pinned there is to be unpinned.</summary>
    public IReadOnlyList<LiveLevel> Strays => Failure.IsOk && _need.IsNone ? [.. _ahead.Values] : [];

    /// <summary>The grant that an answer brings, to be accepted.</summary>
    public static Grant GrantOf(Koid vmo, PinCall call, PinReply reply) => new()
    {
        Vmo = vmo, Area = GrantArea.Whole, Session = call.Session, Shown = FrozenExtent.Empty, Size = reply.Size, Parent = reply.Parent, ParentOffset = reply.ParentOffset,
        ParentEnd = reply.ParentEnd, Lineage = Lineage.Hint(reply.Lineage),
    };

    /// <summary>
    /// The answers of a round, in its order, and the grants as the silo holds them; null: it was recalled before it came. Only the first must be there.
    /// </summary>
    public void Take(IReadOnlyList<(PinReply? Reply, Grant? Grant)> answers)
    {
        for (var i = 0; i < answers.Count; i++)
        {
            var (reply, grant) = answers[i];
            if (reply is null)
                continue;
            if (reply.Outcome.IsOk)
            {
                var lineage = Lineage.Hint(reply.Lineage);
                _ahead[_round[i]] = new(
                    _round[i], _call.Stamp, reply.Layer, reply.Limit, reply.Size, reply.Parent, reply.ParentOffset, reply.ParentEnd, reply.IsTorn ? null : grant);
                Name(reply.Parent, lineage);
            }
            else if (i == 0)
            {
                (Failure, _need) = (reply.Outcome, Koid.None);
            }
        }

        if (Failure.IsOk)
            GoOn(_round[0]);
    }

    private bool IsKnown(Koid vmo) => _known.GetValueOrDefault(vmo) is { IsValid: true } level && level.Grant!.Session == _call.Session;

    private bool IsTaken(Koid vmo) => _levels.Exists(level => level.Vmo == vmo);

    private void Name(Koid next, Lineage lineage)
    {
        if (!next.IsNone)
            _named.Add(next);
        _named.UnionWith(lineage.Ancestors.Select(ancestor => ancestor.Layer.Home));
    }

    private void GoOn(Koid next)
    {
        while (!next.IsNone && _levels.Count < Limits.LiveLevelsMax)
        {
            if (!_ahead.Remove(next, out var level))
            {
                if (!IsKnown(next))
                    break;
                level = _known[next];
            }

            _levels.Add(level);
            next = level.Parent;
        }

        if (!next.IsNone && _levels.Count >= Limits.LiveLevelsMax)
            (Failure, next) = (new(VmoStatus.OutOfRange, $"the VMO has more than {Limits.LiveLevelsMax} live ancestors; a snapshot can be made over at most so many"), Koid.None);
        _need = next;
    }
}
