namespace VmoCluster.Core.Store;

/// <summary>One field of a record or layer, encoded by the core. The store reads only <c>owner</c>, <c>seq</c> and <c>layout</c>.</summary>
public readonly record struct StoreField(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value);

/// <summary>A blob to be written: its name and its bytes (header and pages, in pieces, so that pages need not be copied together).</summary>
public sealed record BlobWrite(BlobId Id, IReadOnlyList<ReadOnlyMemory<byte>> Bytes);

/// <summary>Where some bytes of a blob lie and where they are to go.</summary>
public readonly record struct BlobRead(LayerId Layer, BlobId Blob, int Offset, Memory<byte> Destination);
