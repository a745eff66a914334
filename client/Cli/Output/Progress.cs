using System.Globalization;
using System.Text;

namespace VmoCluster.Cli.Output;

/// <summary>
/// A line on the terminal that tells how far a transfer is, how fast it goes and what of it is stored; nothing anywhere else. Redrawn at
/// most ten times a second, from the transfer's own loop.
/// </summary>
internal sealed class Progress(Surroundings surroundings, string verb, ulong total) : IDisposable
{
    private const int BarCells = 24;
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(100);

    private readonly long _begun = surroundings.Time.GetTimestamp();
    private TimeSpan _drawn = TimeSpan.Zero;
    private bool _isShown;

    /// <summary>Tells where the transfer is.</summary>
    /// <param name="done">Bytes of the whole passed, holes included.</param>
    /// <param name="stored">Bytes of data sent or fetched.</param>
    public void Tell(ulong done, ulong stored)
    {
        if (!surroundings.ErrorIsTerminal)
            return;
        var elapsed = surroundings.Time.GetElapsedTime(_begun);
        if (elapsed - _drawn < Every)
            return;
        (_drawn, _isShown) = (elapsed, true);
        surroundings.Error.Write($"\r{Line(verb, done, total, stored, elapsed, surroundings.UsesColour, surroundings.Columns())}\e[K");
        surroundings.Error.Flush();
    }

    /// <summary>Takes the line away: what comes next, a result or an error, stands alone.</summary>
    public void Dispose()
    {
        if (_isShown)
            surroundings.Error.Write("\r\e[K");
    }

    /// <summary>The line, no wider than the terminal. A total of 0 is not known yet.</summary>
    internal static string Line(string verb, ulong done, ulong total, ulong stored, TimeSpan elapsed, bool inColour, int columns)
    {
        var text = new StringBuilder(verb).Append(' ');
        var speed = elapsed > TimeSpan.Zero ? (ulong)(stored / elapsed.TotalSeconds) : 0;
        var tail = $" {Bytes(speed)}/s, {Bytes(stored)} stored";
        if (total == 0)
            return text.Append(Bytes(done)).Append(tail).ToString();
        var share = Math.Min(1, done / (double)total);
        var full = (int)(share * BarCells);
        var numbers = string.Create(CultureInfo.InvariantCulture, $"{(int)(share * 100),3} % of {Bytes(total)},");
        if (text.Length + BarCells + 3 + numbers.Length + tail.Length < columns)
            text.Append('[').Append(inColour ? "\e[32m" : "").Append('#', full).Append(inColour ? "\e[0m" : "").Append('.', BarCells - full).Append("] ");
        return text.Append(numbers).Append(tail).ToString();
    }

    /// <summary>Bytes for people: three digits or four and a binary unit.</summary>
    internal static string Bytes(ulong bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        var (value, unit) = ((double)bytes, 0);
        for (; value >= 1000 && unit < units.Length - 1; unit++)
            value /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{(unit == 0 || value >= 100 ? Math.Round(value) : Math.Round(value, 1))} {units[unit]}");
    }
}
