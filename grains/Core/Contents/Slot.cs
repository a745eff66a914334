using VmoCluster.Core.Store;

namespace VmoCluster.Core.Contents;

/// <summary>
/// One page of one layer, 24 bytes. Two slots with the same layer and version mean the same bytes.
/// </summary>
/// <param name="State">What the layer says of the page.</param>
/// <param name="Version">The layer's seq at which the slot came to be; 0 when absent.</param>
/// <param name="Blob">Where the bytes are, for data.</param>
/// <param name="Index">The page's place in the blob, from 0.</param>
/// <param name="BlobPages">How many pages the blob holds.</param>
/// <param name="Checksum">CRC-32C of the page's bytes.</param>
public readonly record struct Slot(SlotState State, ulong Version, BlobId Blob, byte Index, byte BlobPages, uint Checksum)
{
    /// <summary>A committed page of zeros.</summary>
    public static Slot CommittedZero(ulong version) => new(SlotState.Data, version, BlobId.Zero, 0, 0, 0);

    /// <summary>Skip the own stack.</summary>
    public static Slot Through(ulong version) => new(SlotState.Through, version, BlobId.Zero, 0, 0, 0);

    /// <summary>Zeros, whatever lies below.</summary>
    public static Slot Zero(ulong version) => new(SlotState.Zero, version, BlobId.Zero, 0, 0, 0);

    public bool IsAbsent => State == SlotState.Absent;

    /// <summary>Whether bytes are stored for it.</summary>
    public bool IsStored => State == SlotState.Data && !Blob.IsZero;
}
