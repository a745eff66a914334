namespace VmoCluster.Client;

/// <summary>How closing several handles ended; each was tried.</summary>
/// <param name="Outcomes">One outcome a handle, in order.</param>
public sealed record CloseManyResult(IReadOnlyList<Outcome> Outcomes)
{
    /// <summary>Handles that were closed.</summary>
    public int Closed => Outcomes.Count(outcome => outcome.IsOk);

    /// <summary>Whether all were closed.</summary>
    public bool IsOk => Outcomes.All(outcome => outcome.IsOk);

    /// <summary>Throws the first refusal, if there is one; all others have been tried nevertheless.</summary>
    public void ThrowIfFailed()
    {
        foreach (var outcome in Outcomes)
            outcome.ThrowIfFailed();
    }
}
