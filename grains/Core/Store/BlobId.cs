using System.Globalization;

namespace VmoCluster.Core.Store;

/// <summary>
/// Names a blob within a layer: the nonce of the activation that wrote it and that activation's counter. Written once, never again under
/// the same name. The zero blob (0, 0) is never stored: it stands for a committed page of zeros.
/// </summary>
public readonly record struct BlobId(uint Nonce, uint Counter)
{
    /// <summary>The blob of a committed page of zeros.</summary>
    public static BlobId Zero => default;

    public bool IsZero => Nonce == 0 && Counter == 0;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Nonce:x}.{Counter:x}");
}
