namespace VmoCluster.Grains.Families;

/// <summary>
/// Which of a VMO's pages one portion of a scrub reads: units of 256, counted through its layers from the top down, from one on and as far as
/// time allows, but at least that one.
/// </summary>
internal sealed class PageWindow(int first, int until, Func<bool> isOver)
{
    private int _unit;

    /// <summary>The first unit to be read; above 0, the VMO was looked at otherwise before.</summary>
    public int From { get; } = first;

    /// <summary>The unit after the last that was read.</summary>
    public int Reached { get; private set; } = first;

    /// <summary>Whether time ended before the pages did.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Whether the next unit is to be read.</summary>
    public bool Next()
    {
        var unit = _unit++;
        if (IsCut || unit < From || unit >= until)
            return false;
        if (unit > From && isOver())
        {
            IsCut = true;
            return false;
        }

        Reached = unit + 1;
        return true;
    }
}
