namespace VmoCluster.PageStore;

/// <summary>How to reach the store, and what it must promise.</summary>
public sealed class RedisStoreOptions
{
    /// <summary>Name of the environment variable a password is taken from when neither option gives one.</summary>
    public const string PasswordVariable = "VMO_REDIS_PASSWORD";

    /// <summary>
    /// A StackExchange.Redis configuration string: endpoints, TLS, user, database. Several endpoints of one Redis Cluster are fine.
    /// Timeouts in it are not used: the leases need ours.
    /// </summary>
    public required string Configuration { get; init; }

    /// <summary>The password, when it is not in the configuration. Never logged.</summary>
    public string? Password { get; init; }

    /// <summary>A file whose first line is the password. Asked after <see cref="Password"/>, before the environment.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>
    /// A PEM file with the certificates of the authorities that may have issued the certificate of a Redis over TLS (<c>ssl=true</c> in the
    /// configuration). With it no other is trusted, and revocations are not asked for; without it the machine's own decide.
    /// </summary>
    public string? CaFile { get; init; }

    /// <summary>
    /// What every key begins with: letters, digits, '.', '-', '_' and ':', at most 64. Two clusters with different prefixes can share
    /// one Redis; two with the same one are one cluster.
    /// </summary>
    public string KeyPrefix { get; init; } = "vmo:";

    /// <summary>What an acknowledged commit survives. All silos of a cluster must agree.</summary>
    public Durability Durability { get; init; } = Durability.Primary;

    /// <summary>
    /// The Orleans cluster that the silo joins; null: the one made from the store's id. All silos of a store must ask for the same: two clusters on one
    /// store would be safe, for owners and sessions are the store's, and would take every VMO from each other with each call.
    /// </summary>
    public string? ClusterId { get; init; }

    /// <summary>
    /// Share of maxmemory (0 to 1) from which on only frees and changes of structure are stored. What is left is for those; too high a
    /// share and a full store cannot even be emptied.
    /// </summary>
    public double HighWaterRatio { get; init; } = 0.9;

    /// <summary>
    /// Judges what was found before anything is written: a sentence that says why the store must not be used, or null. It is given null when the
    /// store has no identity yet. Without a judge every store will do.
    /// </summary>
    public Func<StoreSighting?, string?>? Judge { get; init; }

    /// <summary>Whether the store is an <see cref="EmbeddedStore"/>: its answers are waited for longer, as nobody could be asked instead.</summary>
    public bool Embedded { get; init; }

    /// <summary>Tells whether the store's disk is nearly full, where the store cannot tell by itself (the embedded one). Asked each second.</summary>
    public Func<bool>? IsDiskNearlyFull { get; init; }
}
