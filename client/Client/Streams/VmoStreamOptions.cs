namespace VmoCluster.Client;

/// <summary>How a <see cref="VmoStream"/> behaves.</summary>
public sealed record VmoStreamOptions
{
    /// <summary>Whether the stream's length is the VMO's size, a multiple of 4096, rather than its content size. Default false.</summary>
    public bool LengthIsSize { get; init; }

    /// <summary>
    /// Bytes asked for ahead of a sequential reader, and written behind a sequential writer. Default 4 MiB; 0 turns both off: each read and
    /// write is then one call and its own acknowledgement.
    /// </summary>
    public int WindowBytes { get; init; } = 4 << 20;
}
