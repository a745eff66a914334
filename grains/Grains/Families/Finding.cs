using VmoCluster.Messages;

namespace VmoCluster.Grains.Families;

/// <summary>Something that looks wrong. What changes is looked at from several sides at once, so it counts only when it is found again.</summary>
/// <param name="Koid">The VMO it concerns.</param>
/// <param name="What">The word of <see cref="ScrubFinding"/>.</param>
/// <param name="Subject">What exactly it is about: the same when it is found again.</param>
/// <param name="Detail">For people.</param>
internal sealed record Finding(Koid Koid, string What, string Subject, string Detail)
{
    public bool IsSame(Finding other) => Koid == other.Koid && What == other.What && Subject == other.Subject;

    public ScrubFinding Tell() => new(Koid, What, Detail);
}
