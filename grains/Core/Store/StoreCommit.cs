namespace VmoCluster.Core.Store;

/// <summary>What a commit changes. Never both: one commit is one HSET of one key, which is what makes it atomic over a crash everywhere.</summary>
public enum CommitTarget : byte
{
    /// <summary>The VMO's record: handles, name, signals, children, intents.</summary>
    Record,

    /// <summary>The VMO's top layer: slots, runs, size.</summary>
    Layer,
}

/// <summary>
/// One commit: write the blobs, then one script that compares owner and seq, sees that the blobs exist, and sets the fields and seq + 1
/// in one HSET.
/// </summary>
public sealed record StoreCommit
{
    public required Koid Vmo { get; init; }
    public required Owner Owner { get; init; }
    public required CommitTarget Target { get; init; }

    /// <summary>The layer that is changed, and the one the blobs belong to.</summary>
    public required LayerId Layer { get; init; }

    /// <summary>
    /// The layer is to come into being, with seq + 1, unless it is there already: then nothing is written, and that is as good.
    /// </summary>
    public bool IsNew { get; init; }

    /// <summary>The seq the target has now; it has one more afterwards.</summary>
    public required ulong Seq { get; init; }

    /// <summary>Fields to set; never empty; without <c>owner</c> and <c>seq</c>.</summary>
    public required IReadOnlyList<StoreField> Fields { get; init; }

    public IReadOnlyList<BlobWrite> Blobs { get; init; } = [];

    /// <summary>A change of structure (dying, freezing, intents): acknowledged by replicas where there are any.</summary>
    public bool IsStructure { get; init; }

    /// <summary>Frees or narrows (decommit, shrink, close, revoke), or finishes what is promised already: allowed when the store is full.</summary>
    public bool IsRelease { get; init; }
}

/// <summary>What became of a commit.</summary>
public enum CommitOutcome : byte
{
    /// <summary>Stored, at the durability configured.</summary>
    Applied,

    /// <summary>Another owner has taken the VMO. The activation ends.</summary>
    Fenced,

    /// <summary>The seq is not the one expected. The activation reloads.</summary>
    Stale,

    /// <summary>A blob the commit names is not there. Nothing was changed.</summary>
    BlobMissing,

    /// <summary>The store is full; nothing was changed.</summary>
    Full,

    /// <summary>The store refused (read-only, no permission, wrong password): nothing was changed.</summary>
    Refused,

    /// <summary>Nobody knows. To be settled before anything of it is answered.</summary>
    Unknown,
}

/// <summary>A settled target: from now on the commit in question either has taken effect or never will.</summary>
/// <param name="Outcome">Applied (settled), Fenced, Stale (another than its owner has moved seq), Refused, or Unknown: settle again.</param>
/// <param name="HasTakenEffect">Whether the commit has; of one that is settled.</param>
/// <param name="Seq">The target's seq now, of one that is settled: the one the commit expects and one, or two where it never will take effect.</param>
public readonly record struct Settlement(CommitOutcome Outcome, bool HasTakenEffect = false, ulong Seq = 0)
{
    /// <summary>By the seq found and the one the commit expects: the same however often it is asked, whichever of the answers is lost.</summary>
    public static Settlement Of(ulong found, ulong expected) =>
        found == expected || found == expected + 2 ? new(CommitOutcome.Applied, HasTakenEffect: false, expected + 2)
        : found == expected + 1 ? new(CommitOutcome.Applied, HasTakenEffect: true, found)
        : new(CommitOutcome.Stale);
}
