using System.Globalization;

namespace VmoCluster.Cli.Output;

/// <summary>Moments as ISO 8601 in UTC, to the millisecond: what the cluster keeps.</summary>
internal static class Moments
{
    public static string Print(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>A handle's expiry as the messages carry it; null for never.</summary>
    public static DateTimeOffset? OfUnixMs(long milliseconds) => milliseconds == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
