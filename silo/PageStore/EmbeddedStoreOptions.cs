namespace VmoCluster.PageStore;

/// <summary>Where the embedded store keeps its data and how much memory it may take.</summary>
public sealed class EmbeddedStoreOptions
{
    /// <summary>
    /// A folder of its own: created with mode 700 if missing; one that holds anything else is refused. Put nothing into it before the
    /// store has started.
    /// </summary>
    public required string Folder { get; init; }

    /// <summary>
    /// Bytes of pages and records held in memory; what is older lies on disk and is read from there. At least 64 MiB. The append-only
    /// file's buffer (32 MiB), the index (16 MiB and up, about 16 bytes a key) and the connections' buffers come on top.
    /// </summary>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>Bytes of append-only file after which a checkpoint is taken and the file cut. A restart replays at most about this much.</summary>
    public long LogBytesMax { get; init; } = 256L << 20;

    /// <summary>
    /// Bytes of data on disk up to which space of overwritten and unlinked data is not looked for. Beyond, each checkpoint moves what
    /// still counts out of the oldest part and drops the rest. Well below the living data it makes each checkpoint copy them. Null: a quarter of the
    /// free disk, at least 2 GiB.
    /// </summary>
    public long? UncompactedBytes { get; init; }

    /// <summary>Free bytes on the disk below which the store does not start, and while it runs takes only frees and changes of structure.</summary>
    public long FreeBytesLeast { get; init; } = 256L << 20;
}
