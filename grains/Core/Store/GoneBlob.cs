namespace VmoCluster.Core.Store;

/// <summary>A blob that was looked for and is not there any more: its layer names another instead, or is folded into another layer.</summary>
/// <param name="Layer">The layer it belonged to.</param>
/// <param name="Blob">Which blob; <see cref="BlobId.Zero"/>, which is never stored: all of the layer.</param>
public readonly record struct GoneBlob(LayerId Layer, BlobId Blob)
{
    /// <summary>A layer that is gone as a whole.</summary>
    public static GoneBlob AllOf(LayerId layer) => new(layer, BlobId.Zero);
}
