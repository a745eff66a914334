namespace VmoCluster.Core.Handles;

/// <summary>The algebra of rights (semantics 1.2, 1.6).</summary>
public static class HandleRights
{
    /// <summary>Rights of a new VMO's handle: the seed era's defaults without EXECUTE, which is never given.</summary>
    public const VmoRights OfNewVmo = VmoRights.Duplicate | VmoRights.Transfer | VmoRights.Wait | VmoRights.Inspect | VmoRights.Read | VmoRights.Write
        | VmoRights.Map | VmoRights.GetProperty | VmoRights.SetProperty | VmoRights.Signal;

    /// <summary>
    /// The rights a handle derived from one with <paramref name="held"/> gets. False: something is asked for that is not held, or SAME_RIGHTS with other bits.
    /// </summary>
    public static bool TryNarrow(VmoRights held, VmoRights asked, out VmoRights granted)
    {
        granted = asked == VmoRights.SameRights ? held : asked;
        return (granted & ~held) == 0;
    }

    /// <summary>Names of the bits, for messages.</summary>
    public static string Describe(VmoRights rights) => rights == VmoRights.None ? "none" : rights.ToString().Replace(", ", "|", StringComparison.Ordinal);
}
