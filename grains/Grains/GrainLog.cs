using Microsoft.Extensions.Logging;

namespace VmoCluster.Grains;

/// <summary>What the grains log. No secret is in any of it.</summary>
internal static partial class GrainLog
{
    [LoggerMessage(1, LogLevel.Debug, "VMO {Koid} opened as {Owner}")]
    public static partial void Opened(ILogger logger, ulong koid, string owner);

    [LoggerMessage(2, LogLevel.Debug, "VMO {Koid} let go: {Reason}")]
    public static partial void LetGo(ILogger logger, ulong koid, string reason);

    [LoggerMessage(3, LogLevel.Critical, "VMO {Koid}: a belief of the core turned out false; its activation starts over from the store")]
    public static partial void Broken(ILogger logger, ulong koid, Exception exception);

    [LoggerMessage(7, LogLevel.Critical, "VMO {Koid}: what it had asked for met a failure that nothing here explains")]
    public static partial void NotExplained(ILogger logger, ulong koid, Exception exception);

    [LoggerMessage(4, LogLevel.Error, "VMO {Koid} is damaged in the store")]
    public static partial void Damaged(ILogger logger, ulong koid, Exception exception);

    [LoggerMessage(5, LogLevel.Warning, "VMO {Koid}: {What} failed, it will be tried again: {Reason}")]
    public static partial void WillRetry(ILogger logger, ulong koid, string what, string reason);

    [LoggerMessage(6, LogLevel.Warning, "VMO {Koid}: what lies under it cannot be read, which is damage unless it was taken over just then: {Reason}")]
    public static partial void NotRead(ILogger logger, ulong koid, string reason);

    [LoggerMessage(10, LogLevel.Information, "audit {Call} of VMO {Koid} by {Tenant}/{Subject}: {Status}")]
    public static partial void Audit(ILogger logger, string call, ulong koid, string tenant, string subject, VmoStatus status);
}
