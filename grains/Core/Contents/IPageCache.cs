using VmoCluster.Core.Store;

namespace VmoCluster.Core.Contents;

/// <summary>Names the bytes of one page for ever: blobs are written once.</summary>
public readonly record struct PageKey(LayerId Layer, BlobId Blob, byte Index)
{
    /// <inheritdoc/>
    public bool Equals(PageKey other) =>
        Blob.Counter == other.Blob.Counter && Index == other.Index && Blob.Nonce == other.Blob.Nonce
        && Layer.Home.Value == other.Layer.Home.Value && Layer.Number == other.Layer.Number;

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var mixed = (Layer.Home.Value * 0x9E37_79B9_7F4A_7C15) ^ (((ulong)Blob.Nonce << 32) | Blob.Counter);
        mixed = (mixed ^ ((ulong)Index << 56) ^ ((ulong)Layer.Number << 40)) * 0xBF58_476D_1CE4_E5B9;
        return (int)(mixed >> 32);
    }
}

/// <summary>
/// Pages in memory, shared by all VMOs of a silo, bounded in bytes. A page in it never changes: whoever gets one may keep it as long as
/// it likes, and nobody writes into it.
/// </summary>
public interface IPageCache
{
    /// <summary>The 4096 bytes, if they are here.</summary>
    bool TryGet(in PageKey key, out byte[] page);

    /// <summary>Puts a page in; the array is the cache's from now on.</summary>
    void Add(in PageKey key, byte[] page);

    /// <summary>Forgets a page that no slot names any more.</summary>
    void Remove(in PageKey key);
}
