namespace VmoCluster;

/// <summary>How a cluster is called in Redis and in Orleans; its silos and the Orleans clients outside must say the same.</summary>
public static class ClusterNames
{
    /// <summary>Orleans' service id.</summary>
    public const string ServiceId = "vmo";

    /// <summary>The Orleans cluster id: made from the store's id, so that processes of different stores never take each other for their own.</summary>
    public static string ClusterId(string storeId) => $"vmo-{storeId[..Math.Min(12, storeId.Length)]}";

    /// <summary>The hash that says which store this is; its field <c>id</c> is the store's id.</summary>
    public static string StoreKey(string prefix) => $"{prefix}store";

    /// <summary>Orleans' membership table: under the prefix of the store it belongs to, so that it is lost or restored with it.</summary>
    public static string MembershipKey(string prefix, string clusterId) => $"{prefix}members:{clusterId}";
}
