namespace VmoCluster.Messages;

/// <summary>What get_info can be asked (E18's object_get_info, by our names).</summary>
public enum InfoTopic
{
    /// <summary>Ok or BadHandle. No right needed.</summary>
    HandleValid = 0,

    /// <summary>Koid, rights, type, expiry and range of this handle. No right needed.</summary>
    HandleBasic = 1,

    /// <summary>Handles of the VMO. INSPECT.</summary>
    HandleCount = 2,

    /// <summary>The VMO. No right needed; what needs a right this handle lacks is absent.</summary>
    Vmo = 23,
}
