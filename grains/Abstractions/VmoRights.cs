namespace VmoCluster;

/// <summary>What a handle allows: Zircon's bits (zircon/rights.h).</summary>
[Flags]
public enum VmoRights : uint
{
    None = 0,
    Duplicate = 1u << 0,
    Transfer = 1u << 1,
    Read = 1u << 2,
    Write = 1u << 3,

    /// <summary>Never given here; asking for it is InvalidArgs.</summary>
    Execute = 1u << 4,
    Map = 1u << 5,
    GetProperty = 1u << 6,
    SetProperty = 1u << 7,
    Enumerate = 1u << 8,
    Destroy = 1u << 9,
    SetPolicy = 1u << 10,
    GetPolicy = 1u << 11,
    Signal = 1u << 12,
    SignalPeer = 1u << 13,
    Wait = 1u << 14,
    Inspect = 1u << 15,

    /// <summary>A request value, never held: the rights of the handle it is asked of.</summary>
    SameRights = 1u << 31,
}
