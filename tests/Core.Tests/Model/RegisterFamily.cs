namespace VmoCluster.Core.Tests.Model;

/// <summary>What a page shows, of which two numbers are kept.</summary>
public readonly record struct Cell(uint First, uint Second)
{
    public override string ToString() => $"{First}/{Second}";
}

/// <summary>What a change does to a page.</summary>
public enum CellChange
{
    WriteFirst,
    WriteSecond,
    WriteWhole,
    Decommit,
}

/// <summary>
/// One page in each VMO of a live family, as registers of which a clone's is its parent's until it is written. Each change takes effect at one
/// instant between its call and its answer; here are all worlds that are possible by what was called, answered and seen so far. Nothing possible
/// is left out, so if there is none, the history is not linearizable.
/// </summary>
/// <param name="parents">Of each VMO, by index; -1 for the root.</param>
public sealed class RegisterFamily(int[] parents)
{
    private readonly (CellChange Change, uint Number)?[] _pending = new (CellChange, uint)?[parents.Length];
    private Dictionary<string, World> _worlds = new(StringComparer.Ordinal) { [""] = new(new Cell?[parents.Length], 0) };

    // What each VMO has itself, and which of the changes under way have taken effect.
    private sealed record World(Cell?[] Own, int Applied);

    /// <summary>A change is called. One at a time for each VMO.</summary>
    public void Begin(int vmo, CellChange change, uint number)
    {
        Assert.Null(_pending[vmo]);
        _pending[vmo] = (change, number);
        Close(_worlds.Values);
    }

    /// <summary>It is answered Ok. False: it has taken effect in no possible world.</summary>
    public void End(int vmo)
    {
        var left = _worlds.Values.Where(world => (world.Applied & (1 << vmo)) != 0).Select(world => world with { Applied = world.Applied & ~(1 << vmo) }).ToList();
        _pending[vmo] = null;
        Close(left);
    }

    /// <summary>All that a page may show now.</summary>
    public IEnumerable<Cell> Possible(int vmo) => _worlds.Values.Select(world => Show(vmo, world.Own)).Distinct();

    /// <summary>A page shows this now. False: that is not possible.</summary>
    public bool See(int vmo, Cell seen)
    {
        var left = _worlds.Values.Where(world => Show(vmo, world.Own) == seen).ToList();
        if (left.Count == 0)
            return false;
        if (left.Count < _worlds.Count)
            Close(left);
        return true;
    }

    // With all worlds that come of these when changes under way take effect, in any order.
    private void Close(IEnumerable<World> worlds)
    {
        _worlds = new(StringComparer.Ordinal);
        var open = new Stack<World>(worlds);
        while (open.TryPop(out var world))
        {
            if (!_worlds.TryAdd($"{string.Join(' ', world.Own)} {world.Applied}", world))
                continue;
            for (var vmo = 0; vmo < parents.Length; vmo++)
            {
                if (_pending[vmo] is not { } pending || (world.Applied & (1 << vmo)) != 0)
                    continue;
                Cell?[] own = [.. world.Own];
                var before = Show(vmo, own);
                own[vmo] = pending.Change switch
                {
                    CellChange.WriteFirst => before with { First = pending.Number },
                    CellChange.WriteSecond => before with { Second = pending.Number },
                    CellChange.WriteWhole => new(pending.Number, pending.Number),
                    _ => null,
                };
                open.Push(new(own, world.Applied | (1 << vmo)));
            }
        }
    }

    private Cell Show(int vmo, Cell?[] own)
    {
        for (; vmo >= 0; vmo = parents[vmo])
        {
            if (own[vmo] is { } cell)
                return cell;
        }

        return default;
    }
}
