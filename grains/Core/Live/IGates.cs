namespace VmoCluster.Core.Live;

/// <summary>The gates of the grants that a commit relies on. While they are entered no VMO that gave one changes what it granted.</summary>
public interface IGates
{
    /// <summary>Enters all of them. False: one was recalled, and none is entered.</summary>
    bool TryEnter();

    /// <summary>Leaves them: the commit has taken effect, or never will.</summary>
    void Leave();
}
