namespace VmoCluster.PageStore;

/// <summary>Which store this is. Written once, by the first silo that ever opened it.</summary>
/// <param name="Id">128 random bits in hex: two silos with the same id use the same store.</param>
/// <param name="Layout">The stored layout's number.</param>
/// <param name="Limits">The limits it was made with.</param>
/// <param name="Durability">What commits survive.</param>
/// <param name="Created">When, by the clock of the silo that made it.</param>
/// <param name="IsFresh">Whether this very opening made it.</param>
public sealed record StoreIdentity(string Id, int Layout, string Limits, Durability Durability, DateTimeOffset Created, bool IsFresh)
{
    /// <summary>The layout this build reads and writes.</summary>
    public const int LayoutNow = 1;
}
