namespace VmoCluster.Client;

/// <summary>What a clone is made with, beyond its kind and window.</summary>
public sealed record VmoCloneOptions
{
    /// <summary>The name, cut to 31 bytes of UTF-8 by the server; of several clones NAME-0, NAME-1 and so on. Null: the parent's, where the handle may read it.</summary>
    public string? Name { get; init; }

    /// <summary><c>set_size</c> of the clone answers Unavailable for ever.</summary>
    public bool NonResizable { get; init; }

    /// <summary>The clone's handle lacks WRITE.</summary>
    public bool NoWrite { get; init; }

    /// <summary>What the clone's handle is narrowed to; null: all that the kind gives.</summary>
    public VmoRights? Rights { get; init; }

    /// <summary>
    /// Ranges in the clone's bytes that read zero from the first moment, whatever the parent has there; at most
    /// <see cref="Limits.CloneZeroRangesMax"/> in one call.
    /// </summary>
    public IReadOnlyList<ByteRange>? Zero { get; init; }
}
