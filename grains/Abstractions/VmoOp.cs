namespace VmoCluster;

/// <summary>
/// What <c>op_range</c> can be asked: the seed era's numbers (1 to 9) and today's names for the later ones. Those that have no meaning
/// here answer NotSupported; unknown numbers InvalidArgs.
/// </summary>
public enum VmoOp : uint
{
    Commit = 1,
    Decommit = 2,
    Lock = 3,
    Unlock = 4,
    Lookup = 5,
    CacheSync = 6,
    CacheInvalidate = 7,
    CacheClean = 8,
    CacheCleanInvalidate = 9,
    Zero = 10,
    TryLock = 11,
    DontNeed = 12,
    AlwaysNeed = 13,
    Prefetch = 14,
}
