using VmoCluster.Core.Live;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting.Ownership;

/// <summary>What letters ask of this silo: give up VMOs it owns, drop what other VMOs have granted it.</summary>
internal sealed class SiloDuty(SiloOwnership ownership, HeldGrants grants) : ILetterDuty
{
    /// <inheritdoc/>
    public Task DoAsync(Letter letter) => letter.Kind == LetterKind.Drop ? grants.RecallAsync(letter.Vmo, null) : ownership.DoAsync(letter);

    /// <inheritdoc/>
    public void Lose(ulong session, string reason)
    {
        grants.Lose(session);
        ownership.Lose(session, reason);
    }
}
