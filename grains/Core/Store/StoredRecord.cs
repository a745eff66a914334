namespace VmoCluster.Core.Store;

/// <summary>A VMO's record or a layer's head as it is stored.</summary>
/// <param name="Owner">Only meaningful for records.</param>
/// <param name="Seq">Counts commits and settlings.</param>
/// <param name="Fields">All other fields asked for that exist.</param>
public sealed record StoredHash(Owner Owner, ulong Seq, IReadOnlyList<StoreField> Fields);

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
