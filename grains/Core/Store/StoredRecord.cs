namespace VmoCluster.Core.Store;

/// <summary>A VMO's record or a layer's head as it is stored.</summary>
/// <param name="Owner">Only meaningful for records.</param>
/// <param name="Seq">Counts commits and settlings.</param>
/// <param name="Fields">All other fields asked for that exist.</param>
public sealed record StoredHash(Owner Owner, ulong Seq, IReadOnlyList<StoreField> Fields)
{
    /// <summary>How many owners before a record remembers.</summary>
    public const int FormersMax = 16;

    /// <summary>
    /// Nonces of the owners before, the latest last, that may have written blobs ahead of a commit that never came. Whoever has unlinked all that
    /// they could have written strikes them off. Only meaningful for records.
    /// </summary>
    public IReadOnlyList<uint> Formers { get; init; } = [];

    /// <summary>
    /// Those that came after a writer, by the epochs in their nonces; all of them where nobody has written (0). The list need not be whole: a build that does not
    /// know it may have owned the VMO in between.
    /// </summary>
    public static IEnumerable<uint> After(IReadOnlyList<uint> formers, uint writer) =>
        formers.Where(former => writer == 0 || Owner.IsLater(former, writer));
}

/// <summary>What is known of a koid.</summary>
public enum Existence : byte
{
    /// <summary>Nothing under this koid.</summary>
    Nothing,

    /// <summary>A VMO.</summary>
    Exists,

    /// <summary>Destroyed less than ten minutes ago; the tombstone's fields are given.</summary>
    Tombstone,
}

/// <summary>A record, or what stands in its place.</summary>
public sealed record RecordLoad(Existence Existence, StoredHash? Hash);

/// <summary>What became of an attempt to take a VMO over.</summary>
/// <param name="Taken">Whether the owner is now the one asked for.</param>
/// <param name="Found">The owner that stood there before.</param>
public readonly record struct TakeOver(bool Taken, Owner Found);
