namespace VmoCluster;

/// <summary>What a waiter can wait for: Zircon's bits.</summary>
[Flags]
public enum VmoSignals : uint
{
    None = 0,

    /// <summary>The VMO has no child.</summary>
    ZeroChildren = 1u << 3,
    User0 = 1u << 24,
    User1 = 1u << 25,
    User2 = 1u << 26,
    User3 = 1u << 27,
    User4 = 1u << 28,
    User5 = 1u << 29,
    User6 = 1u << 30,
    User7 = 1u << 31,

    /// <summary>The bits that callers may set and clear.</summary>
    UserAll = 0xFF00_0000,
}
