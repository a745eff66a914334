namespace VmoCluster.Cli;

/// <summary>Whole pages.</summary>
internal static class Pages
{
    /// <summary>Bytes rounded up to whole pages: what the cluster does with a size that it accepts.</summary>
    public static ulong RoundUp(ulong bytes) => unchecked(bytes + Limits.PageBytes - 1) & ~(ulong)(Limits.PageBytes - 1);
}
