namespace VmoCluster.Core.Contents;

/// <summary>What a layer says of a page.</summary>
public enum SlotState : byte
{
    /// <summary>Nothing: ask below in this VMO's own stack. Under a committed run: a committed page of zeros.</summary>
    Absent = 0,

    /// <summary>Skip the VMO's own stack, ask its parent; at a root that is zero.</summary>
    Through = 1,

    /// <summary>Zeros, whatever lies below.</summary>
    Zero = 2,

    /// <summary>A page of bytes; in the zero blob: a committed page of zeros.</summary>
    Data = 3,
}
