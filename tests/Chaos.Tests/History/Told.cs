using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>A history told by hand: one call a line, times as numbers.</summary>
internal sealed class Told
{
    private readonly List<HistoryEvent> _events = [];

    public IReadOnlyList<HistoryEvent> Events => _events;

    public Told Create(ulong vmo) => Add(new() { Kind = HistoryKind.Create, Outcome = HistoryOutcome.Ok, Began = -2, Ended = -1, Vmo = vmo });

    public Told Clone(ulong vmo, ulong child, long began, long ended, bool isSnapshot = false) =>
        Add(new() { Kind = isSnapshot ? HistoryKind.CloneSnapshot : HistoryKind.CloneLive, Outcome = HistoryOutcome.Ok, Began = began, Ended = ended, Vmo = vmo, Child = child });

    public Told Write(ulong vmo, ulong value, long began, long ended, HistoryOutcome outcome = HistoryOutcome.Ok, int cell = 0) =>
        Add(Of(HistoryKind.Write, vmo, began, ended, outcome) with { Value = value, Cell = cell });

    public Told Zero(ulong vmo, long began, long ended, HistoryOutcome outcome = HistoryOutcome.Ok) => Add(Of(HistoryKind.Zero, vmo, began, ended, outcome));

    public Told Decommit(ulong vmo, long began, long ended, HistoryOutcome outcome = HistoryOutcome.Ok) => Add(Of(HistoryKind.Decommit, vmo, began, ended, outcome));

    public Told Read(ulong vmo, ulong shows, long began, long ended, int cell = 0) => Add(Of(HistoryKind.Read, vmo, began, ended) with { Shown = [shows, shows], Cell = cell });

    public Told Torn(ulong vmo, ulong first, ulong second, long began, long ended) => Add(Of(HistoryKind.Read, vmo, began, ended) with { Shown = [first, second] });

    private static HistoryEvent Of(HistoryKind kind, ulong vmo, long began, long ended, HistoryOutcome outcome = HistoryOutcome.Ok) =>
        new() { Kind = kind, Outcome = outcome, Began = began, Ended = ended, Vmo = vmo };

    private Told Add(HistoryEvent one)
    {
        _events.Add(one);
        return this;
    }
}
