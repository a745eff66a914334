namespace VmoCluster.NbdDoor.Handshake;

/// <summary>Something that BLOCK_STATUS tells of each stretch of a disk.</summary>
/// <param name="Id">What its replies are known by.</param>
/// <param name="Name">Namespace and leaf.</param>
internal sealed record MetaContext(uint Id, string Name)
{
    /// <summary>Whether bytes are stored, and whether they are zeros (NBD protocol, "base:allocation").</summary>
    public static readonly MetaContext Allocation = new(1, "base:allocation");

    /// <summary>How far up the VMO is whose bytes are shown: 1 is the disk itself, 0 nobody (QEMU's context).</summary>
    public static readonly MetaContext Depth = new(2, "qemu:allocation-depth");

    /// <summary>The low 32 bits of the koid of the VMO whose bytes are shown; 0 is nobody.</summary>
    public static readonly MetaContext Owner = new(3, "vmo:owner");

    public static IReadOnlyList<MetaContext> All { get; } = [Allocation, Depth, Owner];

    /// <summary>Whether it is meant by a query. A namespace alone means all of it, where contexts are listed only.</summary>
    public bool Answers(string query, bool isListing) =>
        query == Name || (isListing && query.EndsWith(':') && Name.StartsWith(query, StringComparison.Ordinal));
}
