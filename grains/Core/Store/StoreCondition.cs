namespace VmoCluster.Core.Store;

/// <summary>What a silo must know of its store besides the answers it gets.</summary>
/// <param name="Refusal">
/// Why nothing of it may be used or answered for at present: another store answers, or this one emptied or set back too far. Null: nothing stands
/// against it.
/// </param>
/// <param name="Lineage">
/// Names the past that the primaries have, the same on each silo that has seen the same primaries. Another one when a primary answers whose history
/// is not that of the one before, by a failover or a restart: it may not have what was read and acknowledged earlier, so nothing that is held in
/// memory may be answered from any more, nor anything told to those who go by another one. Not negative.
/// </param>
/// <param name="IsReachable">Whether all its primaries answered when last asked, and took writes.</param>
public sealed record StoreCondition(string? Refusal, long Lineage, bool IsReachable = true)
{
    /// <summary>Nothing has ever happened to it.</summary>
    public static readonly StoreCondition Calm = new(null, 0);
}
