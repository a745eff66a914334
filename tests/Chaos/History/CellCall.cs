namespace VmoCluster.Chaos.History;

/// <summary>A call as one cell sees it: it took effect at one instant from <see cref="Began"/> to <see cref="Ended"/>.</summary>
/// <param name="Vmo">By its number in the family, as <paramref name="Child"/>.</param>
/// <param name="Value">Written, or shown.</param>
/// <param name="Ended"><see cref="long.MaxValue"/>: it may take effect at any time, or never.</param>
internal sealed record CellCall(HistoryKind Kind, int Vmo, int Child, ulong Value, long Began, long Ended, HistoryEvent Event)
{
    public bool IsOptional => Ended == long.MaxValue;

    public override string ToString()
    {
        var what = Kind switch
        {
            HistoryKind.Create => "create",
            HistoryKind.CloneLive or HistoryKind.CloneSnapshot => $"{Kind} {Event.Child} of",
            HistoryKind.Read => $"read {Value} from",
            HistoryKind.Write => $"write {Value} to",
            _ => $"{Kind} of",
        };
        return $"{what} {Event.Vmo} by {Event.Caller} [{Began}, {(IsOptional ? "open" : Ended)}]{(Event.Outcome == HistoryOutcome.Unknown ? " unanswered" : "")}";
    }
}
