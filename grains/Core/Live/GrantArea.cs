namespace VmoCluster.Core.Live;

/// <summary>
/// What of a VMO a grant covers: one extent; or, where the VMO's own layers say nothing at all, an aligned stretch of 4, 16, 64 and so on of them,
/// so that a disk is read through a level that adds nothing to it by a few grants; or the whole VMO, which shows nothing by itself.
/// </summary>
/// <param name="Value">As it travels: an extent's number; of a stretch, its number among those of its order, and the order above it.</param>
public readonly record struct GrantArea(ulong Value)
{
    /// <summary>The largest order there is: 4^10 extents are 1 TiB.</summary>
    public const int OrderMax = 10;

    private const int OrderShift = 56;
    private const int OrderBits = 2;

    /// <summary>All pages and the size.</summary>
    public static GrantArea Whole => new(ulong.MaxValue);

    /// <summary>Whether it stands for the whole VMO.</summary>
    public bool IsWhole => Value == ulong.MaxValue;

    /// <summary>It has 4 to the power of so many extents; not of the whole VMO.</summary>
    public int Order => (int)(Value >> OrderShift);

    /// <summary>Its pages.</summary>
    public PageRange Pages
    {
        get
        {
            var pages = (ulong)Limits.ExtentPages << (OrderBits * Order);
            return IsWhole ? new(new(0), ulong.MaxValue) : new(new((Value & ((1ul << OrderShift) - 1)) * pages), pages);
        }
    }

    /// <summary>One extent.</summary>
    public static GrantArea Of(ulong extent) => new(extent);

    /// <summary>The area of an order that an extent lies in.</summary>
    public static GrantArea Around(ulong extent, int order)
    {
        Invariant.Holds(order is >= 0 and <= OrderMax, "an area has an order that there is not");
        return new(((ulong)order << OrderShift) | (extent >> (OrderBits * order)));
    }

    /// <summary>Whether it shows an extent.</summary>
    public bool Shows(ulong extent) => !IsWhole && Around(extent, Order) == this;

    /// <summary>Whether some page lies in both.</summary>
    public bool Overlaps(PageRange pages) => !pages.IsEmpty && (IsWhole || Pages.Overlaps(pages));
}
