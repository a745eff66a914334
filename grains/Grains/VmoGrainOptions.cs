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

    /// <summary>Calls under way at the silo's VMOs, those that wait in queues included. Beyond: ShouldWait. What memory answers at once is not counted.</summary>
    public int CallsMax { get; set; } = 8192;

    /// <summary>Bytes of pages of these calls. Beyond: ShouldWait. At least 16 MiB.</summary>
    public long CallBytesMax { get; set; } = 128L << 20;

    /// <summary>Changes, and reads, on their way to the store at once. More wait in the silo, which costs the callers of an idle store nothing.</summary>
    public int StoreCallsMax { get; set; } = 1024;

    /// <summary>Bytes of pages of these changes, and of these reads. More wait.</summary>
    public long StoreBytesMax { get; set; } = 64L << 20;
}
