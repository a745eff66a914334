using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Sessions;

/// <summary>What the silo does for its session: the letters' deeds, and what a lost session asks for.</summary>
internal interface ILetterDuty
{
    /// <summary>Does what a letter asks; done when the returned task is. A fault counts as not done.</summary>
    Task DoAsync(Letter letter);

    /// <summary>The session is lost; its lease has already ended. Tells all that act under it, and does not wait for them.</summary>
    void Lose(ulong session, string reason);
}
