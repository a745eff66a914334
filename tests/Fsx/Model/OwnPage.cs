namespace VmoCluster.Fsx.Model;

/// <summary>What a VMO has of a page by itself.</summary>
/// <param name="Bytes">Its bytes, never changed: a write puts others in their place. Null: zeros.</param>
/// <param name="IsCommitted">Whether committed_bytes counts it.</param>
internal readonly record struct OwnPage(byte[]? Bytes, bool IsCommitted);
