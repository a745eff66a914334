using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>
/// A process' wall clock that can be set while the process runs, as libfaketime shows it: a step of its machine's time. Its monotonic clock goes on
/// as before. One for each process that is to be stepped by itself; needs Debian's libfaketime.
/// </summary>
public sealed class SteppedClock : IDisposable
{
    /// <summary>A step shows within this time.</summary>
    public static readonly TimeSpan ShowsWithin = TimeSpan.FromSeconds(2);

    private readonly string _file = Path.Combine(Path.GetTempPath(), $"vmo-clock-{Guid.NewGuid():n}");

    public SteppedClock()
    {
        var library = Directory.EnumerateFiles("/usr/lib", "libfaketime.so.1", new EnumerationOptions { RecurseSubdirectories = true }).FirstOrDefault()
            ?? throw new FileNotFoundException("libfaketime.so.1 is not below /usr/lib; tests/run installs it (Debian's libfaketime)");
        Environment = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = library,
            ["FAKETIME_TIMESTAMP_FILE"] = _file,
            ["FAKETIME_CACHE_DURATION"] = "1",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            // The runtime waits by the monotonic clock, and would wait for the wrong time.
            ["FAKETIME_FORCE_MONOTONIC_FIX"] = "0",
        };
        Step(TimeSpan.Zero);
    }

    /// <summary>What the process needs in its environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; }

    /// <summary>Sets the clock to so much ahead of the machine's; negative is behind.</summary>
    public void Step(TimeSpan ahead)
    {
        var next = _file + ".next";
        File.WriteAllText(next, ahead.TotalSeconds.ToString("+0;-0", CultureInfo.InvariantCulture));
        File.Move(next, _file, overwrite: true);
    }

    public void Dispose() => File.Delete(_file);
}
