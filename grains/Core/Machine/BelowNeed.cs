namespace VmoCluster.Core.Machine;

/// <summary>Why what lies under a range is wanted.</summary>
internal enum BelowNeed
{
    /// <summary>To see what the pages show: only where the top layer does not decide, live parents included.</summary>
    Read,

    /// <summary>To change them: frozen layers everywhere, as the top layer may not decide any more once the change is done.</summary>
    Change,

    /// <summary>To tell others what the VMO's own layers show: frozen layers where the top does not decide.</summary>
    OwnStack,
}
