using VmoCluster.Fsx.Model;

namespace VmoCluster.Fsx.Ops;

/// <summary>
/// Thinks up operations for a family that grows and shrinks: mostly sensible ones, near each other and near where VMOs, extents and windows end, and
/// some of each kind that must be refused.
/// </summary>
internal sealed class Generator(Random random, ModelFamily model, bool isSimulated)
{
    private const ulong Page = ModelVmo.Page;

    /// <summary>Pages of the largest ordinary VMO; far ones are written here and at <see cref="Far"/>.</summary>
    private const int PagesMax = 600;

    /// <summary>A page that only very large VMOs have.</summary>
    private const ulong Far = 1 << 20;

    private const int VmosMax = 14;

    private static readonly (int Weight, OpKind Kind)[] Weights =
    [
        (24, OpKind.Write), (16, OpKind.Read), (8, OpKind.Zero), (9, OpKind.Decommit), (5, OpKind.Commit), (2, OpKind.Lookup), (8, OpKind.Resize), (1, OpKind.Content), (16, OpKind.Clone), (3, OpKind.Dup),
        (11, OpKind.Close), (2, OpKind.Revoke), (3, OpKind.Info), (2, OpKind.Rest), (2, OpKind.Create), (1, OpKind.Crash), (3, OpKind.Some), (1, OpKind.Trim),
    ];

    private int _names;

    public Op Next()
    {
        var kind = Pick();
        if (kind == OpKind.Rest)
            return new(kind);
        if (kind is OpKind.Crash or OpKind.Some or OpKind.Trim)
            return isSimulated ? new(kind) { A = (ulong)random.Next(kind == OpKind.Crash ? 3 : 12) } : new(OpKind.Rest);
        var open = model.Open.Select(handle => handle.Name).ToList();
        if (open.Count == 0 || (kind == OpKind.Create && open.Count < VmosMax))
            return Create();
        var on = OnOf(open);
        var vmo = model.Handles[on].Vmo;
        return kind switch
        {
            OpKind.Create => new(OpKind.Close, on),
            OpKind.Clone when open.Count >= VmosMax => new(OpKind.Close, on),
            OpKind.Clone => Clone(on, vmo),
            OpKind.Resize => new(kind, on) { A = SizeOf(vmo) },
            OpKind.Content => new(kind, on) { A = (ulong)random.Next(1 << 22) },
            OpKind.Dup => Dup(on),
            OpKind.Write => Sized(new(kind, on) { Fill = (byte)(random.Next(6) == 0 ? 0 : random.Next(1, 256)) }, vmo, 40),
            OpKind.Read => Sized(new(kind, on), vmo, 64),
            OpKind.Commit => Sized(new(kind, on), vmo, 300),
            OpKind.Zero or OpKind.Decommit or OpKind.Lookup => Sized(new(kind, on), vmo, PagesMax),
            _ => new(kind, on),
        };
    }

    private OpKind Pick()
    {
        var at = random.Next(Weights.Sum(weight => weight.Weight));
        foreach (var (weight, kind) in Weights)
        {
            if ((at -= weight) < 0)
                return kind;
        }

        return OpKind.Rest;
    }

    // Mostly a good handle of a VMO; at times a duplicate, or one that is closed.
    private HandleName OnOf(List<HandleName> open)
    {
        if (random.Next(12) > 0)
            return open[random.Next(open.Count)];
        var all = model.Handles.Keys.ToList();
        return all[random.Next(all.Count)];
    }

    private Op Create() => new(OpKind.Create, new(++_names)) { A = random.Next(12) == 0 ? (Far + PagesMax) * Page : (ulong)random.Next(1, 300) * Page + (ulong)(random.Next(4) == 0 ? 100 : 0), IsFixed = random.Next(3) == 0 };

    private Op Clone(HandleName on, ModelVmo vmo)
    {
        var children = new List<ChildSpec>();
        var (isMixed, most) = (random.Next(5) == 0, random.Next(3));
        for (var i = 0; i <= (isMixed ? most : 0); i++)
        {
            var count = isMixed || random.Next(4) > 0 ? 1 : random.Next(2, 4);
            children.Add(Child(vmo, count));
        }

        return new(OpKind.Clone, on) { Children = children };
    }

    private ChildSpec Child(ModelVmo vmo, int count)
    {
        var kind = random.Next(10) switch { < 4 => VmoKind.Live, < 7 => VmoKind.Snapshot, < 9 => VmoKind.Slice, _ => VmoKind.Reference };
        var (offset, size) = (0ul, 0ul);
        if (kind != VmoKind.Reference)
        {
            offset = Place() / Page * Page;
            size = (ulong)random.Next(PagesMax) * Page;
            if (kind == VmoKind.Slice && vmo.Size > 0 && random.Next(8) > 0)
            {
                offset %= vmo.Size;
                size = Math.Min(size, Math.Min(vmo.Size - offset, PagesMax * Page));
            }
        }

        (offset, size) = random.Next(60) switch
        {
            0 => (offset + 1, size),
            1 => (offset, ulong.MaxValue - (ulong)random.Next(8192)),
            2 => (ulong.MaxValue - (Page * (ulong)random.Next(1, 4)) + 1, size),
            _ => (offset, size),
        };
        var first = _names + 1;
        _names += count;
        var hole = random.Next(8) == 0 && size > Page;
        return new(first, count, kind, offset, size, random.Next(4) == 0, random.Next(10) == 0, hole ? (ulong)random.Next((int)Math.Min(size, 1 << 20)) : 0, hole ? (ulong)random.Next(1, 5 * (int)Page) : 0);
    }

    private Op Dup(HandleName on)
    {
        var number = 1;
        while (model.Handles.ContainsKey(new(on.Vmo, number)))
            number++;
        var rights = model.Handles[on].Rights;
        foreach (var right in new[] { VmoRights.Read, VmoRights.Write, VmoRights.Duplicate, VmoRights.GetProperty, VmoRights.Inspect })
        {
            if (random.Next(6) == 0)
                rights &= ~right;
        }

        return new(OpKind.Dup, on) { New = new(on.Vmo, number), Rights = random.Next(20) == 0 ? rights | VmoRights.Write : rights };
    }

    private ulong SizeOf(ModelVmo vmo) => random.Next(40) switch
    {
        0 => ulong.MaxValue - (ulong)random.Next(4096),
        1 => 0,
        < 6 => vmo.Size,
        _ => (ulong)random.Next(PagesMax) * Page + (ulong)(random.Next(4) == 0 ? 1 : 0),
    };

    private Op Sized(Op op, ModelVmo vmo, int pagesMax)
    {
        var offset = Place();
        var length = random.Next(4) switch
        {
            0 => (ulong)random.Next(1, (int)Page * 3),
            1 => (ulong)random.Next(1, 20) * Page,
            2 => (ulong)random.Next(1, pagesMax) * Page,
            _ => Page,
        };
        length = Math.Min(length, (ulong)pagesMax * Page);
        if (op.Kind == OpKind.Decommit && random.Next(20) > 0)
            (offset, length) = (offset / Page * Page, ModelVmo.Rounded(length));
        if (random.Next(25) > 0)
        {
            // Inside; where it does not fit, at the very end.
            if (offset > vmo.Size)
                offset = vmo.Size == 0 ? 0 : offset % vmo.Size / Page * Page;
            length = Math.Min(length, vmo.Size - offset);
        }
        else if (random.Next(4) == 0)
        {
            length = ulong.MaxValue - (ulong)random.Next(10_000);
            if (op.Kind is OpKind.Write or OpKind.Read)
                length = 5000;
        }

        return op with { A = offset, B = length };
    }

    private ulong Place() => random.Next(16) switch
    {
        < 6 => (ulong)random.Next(12 * (int)Page),
        < 11 => (ulong)random.Next(PagesMax) * Page,
        < 15 => (ulong)random.Next(250 * (int)Page, 262 * (int)Page),
        _ => (Far * Page) + (ulong)random.Next(40 * (int)Page),
    };
}
