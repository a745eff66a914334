using System.Globalization;

namespace VmoCluster.PageStore;

/// <summary>
/// A store as somebody saw it: which one, and its heartbeat. The heartbeat only moves forward, with each renewal of any silo's session; in a store
/// that has lost its latest past it is behind what was seen before.
/// </summary>
/// <param name="Id">The store's id.</param>
/// <param name="Beats">How many renewals there were. A number with no unit of time: renewals come once a second from each silo.</param>
/// <param name="At">The latest time that any renewing silo's clock has shown. What silos' clocks differ by is not seen in it.</param>
public sealed record StoreSighting(string Id, ulong Beats, DateTimeOffset At)
{
    /// <summary>How far the heartbeat may be behind what a silo has seen: as much as a failover or a crash of the machine may lose.</summary>
    public static readonly TimeSpan BehindMax = TimeSpan.FromSeconds(60);

    /// <summary>How much later the other sighting is; zero when it is not.</summary>
    public TimeSpan Behind(StoreSighting other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return other.At > At ? other.At - At : TimeSpan.Zero;
    }

    /// <summary>Reads the heartbeat's field, "beats milliseconds"; none is the beginning of time.</summary>
    internal static StoreSighting Read(string id, string? beat)
    {
        var parts = (beat ?? "0 0").Split(' ');
        return new(
            id,
            ulong.Parse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture),
            DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture)));
    }
}
