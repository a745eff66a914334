using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// Finds out what a frozen layer shows in one extent in few rounds: what the walk needs, and with it what lineages say it will need. What was
/// loaded by a hint is only ever used where the walk comes to it by itself.
/// </summary>
/// <param name="layer">The layer.</param>
/// <param name="extent">Which extent of it.</param>
/// <param name="maps">What is known already.</param>
public sealed class FrozenFetch(LayerId layer, ulong extent, IFrozenMaps maps)
{
    private readonly FrozenWalk _walk = new(layer, extent);
    private readonly AskAhead _ahead = new();
    private readonly Dictionary<(LayerId Layer, ulong Extent), StoredHash> _loaded = [];
    private IReadOnlyList<(LayerId Layer, ulong Extent)> _round = [];

    /// <summary>How many of a round, from its beginning, are needed. The others are hints: one that is not there, or cannot be read, is given as null.</summary>
    public int Needed { get; private set; }

    /// <summary>Rounds so far.</summary>
    public int Rounds { get; private set; }

    /// <summary>Layers and extents to be loaded at once, by the fields of <see cref="FrozenPart.NamesOf"/>; none: <see cref="Compose"/>. Damage throws <see cref="InvalidDataException"/>.</summary>
    public IReadOnlyList<(LayerId Layer, ulong Extent)> Next()
    {
        List<(LayerId Layer, ulong Extent)> round = [];
        while (_walk.Needs.Count > 0 && TryMeet(round))
        {
        }

        (_round, Needed) = (round, round.Count);
        if (Needed == 0)
            return round;
        Rounds++;
        var needed = round.ToHashSet();
        _ahead.Begin();
        while (_ahead.TryNext(out var next))
        {
            if (maps.TryGet(next.Layer, next.Extent, out _))
            {
                _ahead.EndAt(next.Place);
                break;
            }

            if (_loaded.ContainsKey((next.Layer, next.Extent)) || !needed.Add((next.Layer, next.Extent)))
                continue;
            _ahead.Asked();
            round.Add((next.Layer, next.Extent));
        }

        return round;
    }

    /// <summary>What the round brought, in its order. False: a layer that is needed is not in the store.</summary>
    public bool TryTake(IReadOnlyList<StoredHash?> found, out LayerId lost)
    {
        lost = default;
        for (var i = 0; i < found.Count; i++)
        {
            if (found[i] is { } stored)
            {
                _loaded[_round[i]] = stored;
                // One that is needed names others only where it asks below: that is not known yet.
                if (i >= Needed)
                    _ahead.Add(FrozenPart.NextOf(_round[i].Layer, stored), FrozenPart.LineageOf(stored), _round[i].Extent);
            }
            else if (i < Needed)
            {
                lost = _round[i].Layer;
                return false;
            }
        }

        return true;
    }

    /// <summary>The answer, when nothing more is to be loaded.</summary>
    public FrozenExtent Compose() => _walk.Compose();

    // False: these are to be loaded before the walk can go on.
    private bool TryMeet(List<(LayerId Layer, ulong Extent)> missing)
    {
        var needs = _walk.Needs;
        var found = new (FrozenPart? Part, FrozenExtent? Known)[needs.Count];
        for (var i = 0; i < found.Length; i++)
        {
            if (maps.TryGet(needs[i].Layer, needs[i].Extent, out var known))
                found[i].Known = known;
            else if (!_loaded.ContainsKey(needs[i]))
                missing.Add(needs[i]);
        }

        if (missing.Count > 0)
            return false;
        for (var i = 0; i < found.Length; i++)
        {
            if (found[i].Known is not null)
                continue;
            var stored = _loaded[needs[i]];
            found[i].Part = FrozenPart.Decode(needs[i].Layer, needs[i].Extent, stored);
            _loaded.Remove(needs[i]);
            if (found[i].Part!.AsksBelow)
                _ahead.Add(null, FrozenPart.LineageOf(stored), needs[i].Extent);
        }

        _walk.Take(found);
        return true;
    }
}
