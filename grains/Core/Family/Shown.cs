using VmoCluster.Core.Contents;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>What one page shows, and which layer says so. Absent: nothing below says anything.</summary>
/// <param name="Layer">The layer whose slot or run it is; none when absent.</param>
/// <param name="Slot">Absent, zero or data; never through.</param>
public readonly record struct Shown(LayerId Layer, Slot Slot)
{
    public bool IsNothing => Slot.IsAbsent;

    /// <summary>Whether it reads as bytes that stand in a blob.</summary>
    public bool IsStored => Slot.IsStored;

    /// <summary>Names the bytes.</summary>
    public PageKey Key => new(Layer, Slot.Blob, Slot.Index);
}
