using VmoCluster.Grains.Serving;

namespace VmoCluster.Hosting.Sessions;

/// <summary>What the watch has seen of the others, and this silo's own lease.</summary>
internal sealed class ServingSilos(SiloSession session, SiloAddress self) : IServingSilos
{
    /// <summary>Between a session's description for people and the address of its silo.</summary>
    private const string At = " at ";

    private volatile HashSet<string> _others = new HashSet<string>();
    private readonly string _here = self.ToParsableString();
    private volatile bool _isLeaving;

    /// <summary>What a session is described with.</summary>
    public static string Describe(string name, SiloAddress silo) => name + At + silo.ToParsableString();

    /// <summary>The sessions that have moved of late, by their descriptions.</summary>
    public void Saw(IEnumerable<string> descriptions) =>
        _others = descriptions.Where(text => text.Contains(At, StringComparison.Ordinal)).Select(text => text[(text.LastIndexOf(At, StringComparison.Ordinal) + At.Length)..]).ToHashSet(StringComparer.Ordinal);

    /// <summary>From here on this silo puts and opens nothing on itself. False, and nothing changes: no other serves.</summary>
    public bool Leave() => _isLeaving = AreOthers;

    /// <inheritdoc/>
    public bool IsLeaving => _isLeaving && AreOthers;

    private bool AreOthers => _others.Any(other => other != _here);

    /// <inheritdoc/>
    public bool IsServing(SiloAddress silo) =>
        silo.Equals(self) ? !IsLeaving && session.IsValid(session.Id) : _others.Contains(silo.ToParsableString());
}
