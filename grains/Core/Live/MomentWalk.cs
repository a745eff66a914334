using VmoCluster.Core.Family;
using VmoCluster.Messages;

namespace VmoCluster.Core.Live;

/// <summary>
/// Gathers a moment: says which live ancestor is to be asked next for its pin and the grant of the whole of it, from the nearest up, and takes
/// its answer. An ancestor that answered an earlier walk of the same call, and has not changed since, is not asked again.
/// </summary>
public sealed class MomentWalk
{
    private readonly PinCall _call;
    private readonly Dictionary<Koid, LiveLevel> _known;
    private readonly List<LiveLevel> _levels = [];

    /// <param name="first">The nearest live ancestor.</param>
    /// <param name="call">What each of them is asked.</param>
    /// <param name="known">What earlier walks found.</param>
    public MomentWalk(Koid first, PinCall call, IReadOnlyList<LiveLevel> known)
    {
        (_call, _known) = (call, known.ToDictionary(level => level.Vmo));
        GoOn(first);
    }

    /// <summary>The ancestor to be asked next, with <see cref="Call"/>; None: all have answered, or it has failed.</summary>
    public Koid Need { get; private set; }

    /// <summary>What it is asked.</summary>
    public PinCall Call => _call;

    /// <summary>Why the walk has ended early; Ok if it has not.</summary>
    public Outcome Failure { get; private set; }

    /// <summary>What was found so far, those that earlier walks found included: what is pinned there is to be unpinned some day.</summary>
    public IReadOnlyList<LiveLevel> Levels => Failure.IsOk ? _levels : [.. _levels, .. _known.Values.Where(level => _levels.TrueForAll(other => other.Vmo != level.Vmo))];

    /// <summary>The grant that an answer brings, to be accepted.</summary>
    public static Grant GrantOf(Koid vmo, PinCall call, PinReply reply) => new()
    {
        Vmo = vmo, Extent = Grant.Whole, Session = call.Session, Shown = FrozenExtent.Empty, Size = reply.Size, Parent = reply.Parent, ParentOffset = reply.ParentOffset,
        ParentEnd = reply.ParentEnd,
    };

    /// <summary>The answer, and the grant as the silo holds it; null: it was recalled before it came.</summary>
    public void Take(PinReply reply, Grant? grant)
    {
        if (!reply.Outcome.IsOk)
        {
            (Failure, Need) = (reply.Outcome, Koid.None);
            return;
        }

        var level = new LiveLevel(Need, _call.Stamp, reply.Layer, reply.Limit, reply.Size, reply.Parent, reply.ParentOffset, reply.ParentEnd, reply.IsTorn ? null : grant);
        _levels.Add(level);
        GoOn(level.Parent);
    }

    private void GoOn(Koid next)
    {
        while (!next.IsNone && _known.GetValueOrDefault(next) is { IsValid: true } level && level.Grant!.Session == _call.Session)
        {
            _levels.Add(level);
            next = level.Parent;
        }

        if (!next.IsNone && _levels.Count >= Limits.LiveLevelsMax)
            (Failure, next) = (new(VmoStatus.OutOfRange, $"the VMO has more than {Limits.LiveLevelsMax} live ancestors; a snapshot can be made over at most so many"), Koid.None);
        Need = next;
    }
}
