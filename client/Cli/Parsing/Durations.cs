using System.Globalization;

namespace VmoCluster.Cli.Parsing;

/// <summary>Stretches of time: <c>500ms</c>, <c>2s</c>, <c>5m</c>, <c>1h</c>; a bare number is seconds.</summary>
internal static class Durations
{
    /// <summary>What stands in every message about a time that is none.</summary>
    public const string Form = "a whole number of seconds, or with ms, s, m or h: 500ms, 2s, 5m, 1h";

    /// <summary>Reads a time. False: negative, fractional, longer than .NET can count (29,000 years), or no time.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = default;
        var (unit, ticks) = text switch
        {
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (2, TimeSpan.TicksPerMillisecond),
            _ when text.EndsWith("s", StringComparison.Ordinal) => (1, TimeSpan.TicksPerSecond),
            _ when text.EndsWith("m", StringComparison.Ordinal) => (1, TimeSpan.TicksPerMinute),
            _ when text.EndsWith("h", StringComparison.Ordinal) => (1, TimeSpan.TicksPerHour),
            _ => (0, TimeSpan.TicksPerSecond),
        };
        if (!long.TryParse(text[..^unit], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count > long.MaxValue / ticks)
            return false;
        duration = new(count * ticks);
        return true;
    }
}
