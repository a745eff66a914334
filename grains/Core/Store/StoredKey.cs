namespace VmoCluster.Core.Store;

/// <summary>A key that stands in the store: a layer, or a blob of it.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Blob">The blob; null: the key is the layer itself.</param>
public readonly record struct StoredKey(LayerId Layer, BlobId? Blob);

/// <summary>A portion of all keys of layers and blobs.</summary>
/// <param name="Keys">In any order; a key may come in several portions.</param>
/// <param name="Next">Where to go on; null: that was all.</param>
public sealed record KeyPortion(IReadOnlyList<StoredKey> Keys, KeyPlace? Next);

/// <summary>A place in a walk over all keys: the number of a node, and its cursor there. The default is the beginning.</summary>
public readonly record struct KeyPlace(int Node, ulong Cursor);
