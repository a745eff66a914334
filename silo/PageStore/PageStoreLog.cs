using Microsoft.Extensions.Logging;

namespace VmoCluster.PageStore;

/// <summary>All that the page store logs.</summary>
internal static partial class PageStoreLog
{
    [LoggerMessage(1, LogLevel.Information, "Opened store {Id}: layout {Layout}, durability {Durability}, {Primaries} primaries")]
    public static partial void Opened(ILogger log, string id, int layout, string durability, int primaries);

    [LoggerMessage(2, LogLevel.Warning, "The store does not answer ({Kind})")]
    public static partial void Unreachable(ILogger log, string kind);

    [LoggerMessage(3, LogLevel.Information, "The store answers again")]
    public static partial void ReachableAgain(ILogger log);

    [LoggerMessage(4, LogLevel.Warning, "The store is nearly full ({Ratio} of maxmemory, or its disk): only frees and changes of structure are stored")]
    public static partial void NearlyFull(ILogger log, string ratio);

    [LoggerMessage(5, LogLevel.Information, "The store has room again")]
    public static partial void RoomAgain(ILogger log);

    [LoggerMessage(6, LogLevel.Information, "The embedded store serves {Folder}")]
    public static partial void EmbeddedStarted(ILogger log, string folder);

    [LoggerMessage(7, LogLevel.Warning, "This silo's user of Redis may not use CLIENT LIST and CLIENT KILL ({Why}): blobs sent right before a failure may be left behind, until a scrub finds them")]
    public static partial void MayNotEndConnections(ILogger log, string why);

    [LoggerMessage(8, LogLevel.Critical, "Nothing of the store is used, and no call is answered, until the silo's own store is back: {Refusal}")]
    public static partial void Refused(ILogger log, string refusal);

    [LoggerMessage(9, LogLevel.Information, "Store {Id} is back")]
    public static partial void OursAgain(ILogger log, string id);

    [LoggerMessage(10, LogLevel.Warning, "Another primary answers, or the same restarted (replication id {Before}, now {Now}): what is held in memory may not be there")]
    public static partial void OtherHistory(ILogger log, string before, string now);

    [LoggerMessage(12, LogLevel.Critical, "A look at the store met a failure it does not know; it is looked at again")]
    public static partial void NotLooked(ILogger log, Exception failure);

    [LoggerMessage(11, LogLevel.Warning, "Durability {Durability}, but the primary has {Replicas} replicas: if one that has not acknowledged is promoted while the old primary lives, acknowledged writes are lost. {Wanted} closes that")]
    public static partial void FewAcknowledge(ILogger log, string durability, int replicas, string wanted);
}
