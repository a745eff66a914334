namespace VmoCluster.Grains;

/// <summary>What the grains of one silo may use.</summary>
public sealed class VmoGrainOptions
{
    /// <summary>Bytes of pages kept in memory, shared by all VMOs of the silo. More makes fewer reads go to the store. At least 1 MiB.</summary>
    public long PageCacheBytes { get; set; } = 256L << 20;

    /// <summary>
    /// Bytes of slot maps kept in memory, shared by all VMOs of the silo; about 30 bytes a page where pages lie side by side, 450 where they are
    /// scattered. Over it, VMOs give back extents they have not used of late and load them again when they need them.
    /// </summary>
    public long MapBytes { get; set; } = 512L << 20;

    /// <summary>
    /// Bytes of what live ancestors have granted this silo to show, and of the views made of it, shared by all VMOs of the silo: about a
    /// kilobyte an ancestor and extent, and 40 bytes a page that it shows. Over it, what was not looked at of late is given up and asked for again when it is needed;
    /// a view through a thousand ancestors needs all their grants at once. At least 16 MiB.
    /// </summary>
    public long GrantBytes { get; set; } = 128L << 20;
}
