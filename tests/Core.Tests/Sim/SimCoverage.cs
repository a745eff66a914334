using System.Collections.Concurrent;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>What simulations have met, by name: a test that never met what it is about has shown nothing.</summary>
public sealed class SimCoverage
{
    private readonly ConcurrentDictionary<string, long> _counts = new(StringComparer.Ordinal);

    public long this[string what] => _counts.GetValueOrDefault(what);

    public void Count(string what) => _counts.AddOrUpdate(what, 1, (_, count) => count + 1);

    public override string ToString() => string.Join('\n', _counts.OrderBy(item => item.Key, StringComparer.Ordinal).Select(item => $"{item.Value,12:N0}  {item.Key}"));
}
