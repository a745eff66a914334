namespace VmoCluster.Core.Live;

/// <summary>A live ancestor as it was when it granted the whole of itself.</summary>
/// <param name="Vmo">The ancestor.</param>
/// <param name="Stamp">The stamp under which users of its layer are pinned.</param>
/// <param name="Layer">Its highest frozen layer, which shows all that its own layers show, and is pinned; 0: they show nothing.</param>
/// <param name="Limit">Pages, exclusive, that the layer is looked through for.</param>
/// <param name="Size">Its size in pages.</param>
/// <param name="Parent">Its own live parent, or the VMO whose pages that shows; None if it follows nobody.</param>
/// <param name="ParentOffset">Where in that one it begins, in pages.</param>
/// <param name="ParentEnd">Pages of that one, exclusive, beyond which it shows nothing.</param>
/// <param name="Grant">True as long as nothing of this has changed; null: it had changed before it was known.</param>
public sealed record LiveLevel(Koid Vmo, ulong Stamp, uint Layer, ulong Limit, ulong Size, Koid Parent, ulong ParentOffset, ulong ParentEnd, Grant? Grant)
{
    /// <summary>Whether it is still so.</summary>
    public bool IsValid => Grant is { IsRecalled: false };
}

/// <summary>
/// All live ancestors of a VMO, the nearest first, in one moment: now, as long as it is valid. A commit that relies on it enters its gates, and
/// until it leaves them all of it stays so.
/// </summary>
public sealed class LiveMoment(IReadOnlyList<LiveLevel> levels) : IGates
{
    private readonly Grant[] _grants = [.. levels.Where(level => level.Grant is not null).Select(level => level.Grant!)];

    public IReadOnlyList<LiveLevel> Levels => levels;

    /// <summary>Whether nothing of it has changed, as far as this silo's session may tell.</summary>
    public bool IsValid(ulong session) => levels.All(level => level.IsValid && level.Grant!.Session == session);

    /// <inheritdoc/>
    public bool TryEnter() => _grants.Length == levels.Count && GateRow.TryEnter(_grants);

    /// <inheritdoc/>
    public void Leave() => GateRow.Leave(_grants);
}
