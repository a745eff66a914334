using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Copies what one frozen layer says into the frozen layer over it in the same stack, and then lets the upper one look past the lower one.
/// </summary>
internal sealed class Fold
{
    private readonly MachineState _state;
    private readonly LayerCopy _copy;
    private readonly LayerSummary _under;
    private readonly Action<LayerSummary, FoldEnd> _ended;

    /// <param name="state">The VMO.</param>
    /// <param name="queue">Where its steps go.</param>
    /// <param name="over">The upper layer, which takes what the lower one says.</param>
    /// <param name="under">The lower layer, which nobody but the upper one looks through.</param>
    /// <param name="ended">Told once: the upper layer as it is now, and how it ended.</param>
    public Fold(MachineState state, ChangeQueue queue, LayerSummary over, LayerSummary under, Action<LayerSummary, FoldEnd> ended)
    {
        (_state, _under, _ended) = (state, under, ended);
        _copy = new(state, queue, over, end => ended(over, end));
    }

    private LayerSummary Over => _copy.Into;

    public void Begin() => _copy.Begin(() => _state.Effects.Add(new ScanLeaves(_under.Id) { Then = Scanned }));

    private void Scanned(IReadOnlyList<StoreField> fields, Outcome outcome)
    {
        if (_copy.HasFailed(outcome))
            return;
        // A scan may bring a leaf twice.
        var leaves = new SortedDictionary<ulong, Leaf>();
        foreach (var field in fields)
        {
            if (FieldNames.TryReadLeaf(field.Name.Span, out var number) && LeafCodec.Decode(field.Value.Span) is { } leaf)
                leaves[number] = Runs.Clean(_under.Runs, number, leaf);
        }

        foreach (var (number, leaf) in leaves)
        {
            var shown = new Shown[Limits.LeafPages];
            for (var i = 0; i < shown.Length; i++)
                shown[i] = leaf[i].IsAbsent || IsIdle(leaf[i].State) ? default : new(_under.Id, leaf[i]);
            _copy.Add(number, shown);
        }

        _copy.Run(Finish);
    }

    // Over nothing at all, a mark of nothing says nothing.
    private bool IsIdle(SlotState mark) => mark is SlotState.Zero or SlotState.Through && _under.Below.IsNothing && !_state.Sight.IsLive;

    // The lower layer's runs come under the slots of the upper one; then there is nothing that only the lower one says.
    private void Finish()
    {
        var runs = Runs.Under(Over.Runs, _under.Runs.Where(run => !run.IsClearing && !IsIdle(StateOf(run.Kind))), Over.Low, Over.Seq + 1);
        if (runs.Count > Limits.RunsPerLayerMax)
            _ended(Over, FoldEnd.Unfit);
        else if (runs.Any(run => run.IsCommitted && !Over.Runs.Contains(run)))
            _state.Effects.Add(new ScanLeaves(Over.Id) { Then = (fields, outcome) => Recount(runs, fields, outcome) });
        else
            LookPast(runs, Over.Counts);
    }

    private static SlotState StateOf(RunKind kind) => kind switch { RunKind.Zero => SlotState.Zero, RunKind.Through => SlotState.Through, _ => SlotState.Data };

    // Slots that lie in committed runs are counted, and some lie in a run only now.
    private void Recount(List<Run> runs, IReadOnlyList<StoreField> fields, Outcome outcome)
    {
        if (_copy.HasFailed(outcome))
            return;
        var (covered, seen) = (0ul, new HashSet<ulong>());
        foreach (var field in fields)
        {
            if (!FieldNames.TryReadLeaf(field.Name.Span, out var number) || !seen.Add(number) || LeafCodec.Decode(field.Value.Span) is not { } stored)
                continue;
            var leaf = Runs.Clean(Over.Runs, number, stored);
            for (var i = 0; i < Limits.LeafPages; i++)
                covered += !leaf[i].IsAbsent && Runs.Lying(runs, (number * Limits.LeafPages) + (ulong)i) == RunKind.Committed ? 1ul : 0;
        }

        LookPast(runs, Over.Counts with { Covered = covered });
    }

    private void LookPast(List<Run> runs, LayerCounts counts)
    {
        var below = Over.Below with { Under = _under.Below.Under };
        var low = Math.Min(Over.Low, _under.Low);
        uint[] folded = [.. Over.Folded, _under.Id.Number];
        _copy.Commit(
            (fields, _) =>
            {
                fields.Add(new(FieldNames.Below, below.Encode()));
                fields.Add(new(FieldNames.Size, LayerHead.EncodeSize(Over.Size, Over.ContentSize, low)));
                fields.Add(new(FieldNames.Runs, Run.Encode(runs)));
                fields.Add(new(FieldNames.Folded, LayerHead.EncodeNumbers(folded)));
            },
            counts,
            () =>
            {
                _copy.Clean();
                _ended(Over with { Below = below, Low = low, Runs = runs, Folded = folded }, FoldEnd.Whole);
            });
    }
}
