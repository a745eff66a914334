using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>How a fold came to its end.</summary>
internal enum FoldEnd
{
    /// <summary>All is in the upper layer, and it looks past the lower one.</summary>
    Whole,

    /// <summary>The store did not do its part; it may be begun anew.</summary>
    Failed,

    /// <summary>The lower layer cannot be folded as it is: it is damaged, or both have too many runs.</summary>
    Unfit,
}

/// <summary>
/// Copies what one frozen layer says into the frozen layer over it, a portion at a time, wherever that one says nothing itself, and then lets the
/// upper one look past the lower one. Nothing that shows through the upper layer ever changes by it, so it needs no instant, no recall and no
/// reader's consent: at every moment, also after a crash between any two steps, each page shows what it showed.
/// </summary>
/// <param name="state">The VMO.</param>
/// <param name="queue">Its commits go before the changes that wait, one at a time among them.</param>
/// <param name="over">The upper layer, which takes what the lower one says.</param>
/// <param name="under">The lower layer, which nobody but the upper one looks through.</param>
/// <param name="ended">Told once: the upper layer as it is now, and how it ended. Whichever it is, nothing is lost.</param>
internal sealed class Fold(MachineState state, ChangeQueue queue, LayerSummary over, LayerSummary under, Action<LayerSummary, FoldEnd> ended)
{
    private const int PagesAtOnce = Limits.ExtentPages;
    private const int LeavesAtOnce = 512;

    private readonly Queue<(ulong Number, Leaf Leaf)> _leaves = [];
    private List<BlobId> _garbage = [];
    private List<BlobId> _written = [];

    /// <summary>Goes on from the beginning. What an owner before wrote ahead of a commit that never came is put on the list of what must go.</summary>
    public void Begin()
    {
        _garbage = [.. over.Garbage, .. over.NextBlob.Nonce == state.Owner.Nonce ? [] : over.WrittenAhead];
        Commit((_, _) => { }, over.Counts, () =>
        {
            Clean();
            state.Effects.Add(new ScanLeaves(under.Id) { Then = Scanned });
        });
    }

    private void Clean()
    {
        if (_garbage.Count > 0)
        {
            var some = _garbage;
            state.Effects.Add(new UnlinkBlobs(over.Id, some)
            {
                Then = outcome =>
                {
                    if (outcome.IsOk)
                        _garbage = [.. _garbage.Except(some)];
                },
            });
        }
    }

    private void Scanned(IReadOnlyList<StoreField> fields, Outcome outcome)
    {
        if (HasFailed(outcome))
            return;
        // A scan may bring a leaf twice.
        var leaves = new SortedDictionary<ulong, Leaf>();
        foreach (var field in fields)
        {
            if (FieldNames.TryReadLeaf(field.Name.Span, out var number) && LeafCodec.Decode(field.Value.Span) is { } leaf)
                leaves[number] = Runs.Clean(under.Runs, number, leaf);
        }

        foreach (var (number, leaf) in leaves)
        {
            if (!leaf.IsEmpty && number * Limits.LeafPages < over.Low)
                _leaves.Enqueue((number, leaf));
        }

        Next();
    }

    private void Next()
    {
        var portion = new List<(ulong Number, Leaf Leaf)>();
        for (var pages = 0; portion.Count < LeavesAtOnce && _leaves.TryPeek(out var next);)
        {
            pages += Stored(next.Leaf);
            if (pages > PagesAtOnce && portion.Count > 0)
                break;
            portion.Add(_leaves.Dequeue());
        }

        if (portion.Count > 0)
            state.Effects.Add(new LoadFields(over.Id, [.. portion.Select(leaf => FieldNames.Leaf(leaf.Number))]) { Then = (found, outcome) => Lay(portion, found, outcome) });
        else
            Finish();
    }

    // What the upper layer leaves open, out of the lower one's leaves.
    private void Lay(List<(ulong Number, Leaf Leaf)> portion, StoredHash? found, Outcome outcome)
    {
        if (HasFailed(outcome))
            return;
        if (found is null)
        {
            ended(over, FoldEnd.Failed);
            return;
        }

        var old = new Dictionary<ulong, Leaf>();
        foreach (var field in found.Fields)
        {
            if (FieldNames.TryReadLeaf(field.Name.Span, out var number) && LeafCodec.Decode(field.Value.Span) is { } leaf)
                old[number] = Runs.Clean(over.Runs, number, leaf);
        }

        var (laid, moves) = (new SortedDictionary<ulong, Leaf>(), new List<(ulong Page, Slot From)>());
        var counts = over.Counts;
        foreach (var (number, leaf) in portion)
        {
            var mine = old.GetValueOrDefault(number)?.Copy() ?? new();
            var isLaid = false;
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                var (page, source) = ((number * Limits.LeafPages) + (ulong)i, leaf[i]);
                if (source.IsAbsent || !mine[i].IsAbsent || page >= over.Low || Runs.Lying(over.Runs, page) is not null || IsIdle(source.State))
                    continue;
                isLaid = true;
                if (source.IsStored)
                    moves.Add((page, source));
                else
                    mine[i] = source with { Version = over.Seq + 1 };
                if (source.State == SlotState.Data)
                    counts = counts with { Data = counts.Data + 1 };
            }

            if (isLaid)
                laid[number] = mine;
        }

        if (moves.Count > 0)
            Read(moves, pages => Write(laid, pages, counts));
        else if (laid.Count > 0)
            Write(laid, [], counts);
        else
            Next();
    }

    // Over nothing at all, a mark of nothing says nothing.
    private bool IsIdle(SlotState mark) => mark is SlotState.Zero or SlotState.Through && under.Below.IsNothing && !state.Sight.IsLive;

    // Neighbours in a blob are one read.
    private void Read(List<(ulong Page, Slot From)> moves, Action<List<(ulong Page, ReadOnlyMemory<byte> Bytes)>> then)
    {
        var sorted = moves.OrderBy(move => (move.From.Blob.Nonce, move.From.Blob.Counter, move.From.Index)).ToList();
        var (reads, pages) = (new List<BlobRead>(), new List<(ulong Page, Slot From, ReadOnlyMemory<byte> Bytes)>());
        for (var at = 0; at < sorted.Count;)
        {
            var (first, count) = (sorted[at].From, 1);
            while (at + count < sorted.Count && sorted[at + count].From.Blob == first.Blob && sorted[at + count].From.Index == first.Index + count)
                count++;
            var buffer = new byte[count * Limits.PageBytes];
            reads.Add(new(under.Id, first.Blob, BlobLayout.OffsetOf(first.Index), buffer));
            for (var i = 0; i < count; i++)
                pages.Add((sorted[at + i].Page, sorted[at + i].From, buffer.AsMemory(i * Limits.PageBytes, Limits.PageBytes)));
            at += count;
        }

        state.Effects.Add(new LoadBlobs(reads)
        {
            Then = (isThere, outcome) =>
            {
                if (HasFailed(outcome))
                    return;
                // What is damaged stays where it is: whoever reads it is told.
                if (isThere.All(found => found) && pages.TrueForAll(page => BlobLayout.Checksum(page.Bytes.Span) == page.From.Checksum))
                    then([.. pages.OrderBy(page => page.Page).Select(page => (page.Page, page.Bytes))]);
                else
                    ended(over, FoldEnd.Unfit);
            },
        });
    }

    private void Write(SortedDictionary<ulong, Leaf> laid, List<(ulong Page, ReadOnlyMemory<byte> Bytes)> pages, LayerCounts counts)
    {
        // Built when it is sent: a settling may have moved the layer's seq on, and a version must be above every clearing run's.
        Commit(
            (fields, blobs) =>
            {
                foreach (var (blob, slots) in BlobLayout.Pack(pages, () => new(state.Owner.Nonce, state.NextFoldBlob++), over.Seq + 1))
                {
                    blobs.Add(blob);
                    foreach (var (page, slot) in slots)
                        laid[Leaf.Of(page)][Leaf.IndexOf(page)] = slot;
                }

                foreach (var (number, leaf) in laid)
                    fields.Add(new(FieldNames.Leaf(number), LeafCodec.Encode(leaf)));
            },
            counts with { Stored = counts.Stored + (ulong)pages.Count, BlobPages = counts.BlobPages + (ulong)pages.Count },
            Next);
    }

    // The lower layer's runs come under the slots of the upper one; then there is nothing that only the lower one says.
    private void Finish()
    {
        var runs = Runs.Under(over.Runs, under.Runs.Where(run => !run.IsClearing && !IsIdle(StateOf(run.Kind))), over.Low, over.Seq + 1);
        if (runs.Count > Limits.RunsPerLayerMax)
        {
            ended(over, FoldEnd.Unfit);
            return;
        }

        if (runs.Any(run => run.IsCommitted && !over.Runs.Contains(run)))
            state.Effects.Add(new ScanLeaves(over.Id) { Then = (fields, outcome) => Recount(runs, fields, outcome) });
        else
            LookPast(runs, over.Counts);
    }

    private static SlotState StateOf(RunKind kind) => kind switch { RunKind.Zero => SlotState.Zero, RunKind.Through => SlotState.Through, _ => SlotState.Data };

    // Slots that lie in committed runs are counted, and some lie in a run only now.
    private void Recount(List<Run> runs, IReadOnlyList<StoreField> fields, Outcome outcome)
    {
        if (HasFailed(outcome))
            return;
        var (covered, seen) = (0ul, new HashSet<ulong>());
        foreach (var field in fields)
        {
            if (!FieldNames.TryReadLeaf(field.Name.Span, out var number) || !seen.Add(number) || LeafCodec.Decode(field.Value.Span) is not { } stored)
                continue;
            var leaf = Runs.Clean(over.Runs, number, stored);
            for (var i = 0; i < Limits.LeafPages; i++)
                covered += !leaf[i].IsAbsent && Runs.Lying(runs, (number * Limits.LeafPages) + (ulong)i) == RunKind.Committed ? 1ul : 0;
        }

        LookPast(runs, over.Counts with { Covered = covered });
    }

    private void LookPast(List<Run> runs, LayerCounts counts)
    {
        var below = over.Below with { Under = under.Below.Under };
        var low = Math.Min(over.Low, under.Low);
        uint[] folded = [.. over.Folded, under.Id.Number];
        Commit(
            (fields, _) =>
            {
                fields.Add(new(FieldNames.Below, below.Encode()));
                fields.Add(new(FieldNames.Size, LayerHead.EncodeSize(over.Size, over.ContentSize, low)));
                fields.Add(new(FieldNames.Runs, Run.Encode(runs)));
                fields.Add(new(FieldNames.Folded, LayerHead.EncodeNumbers(folded)));
            },
            counts,
            () =>
            {
                Clean();
                ended(over with { Below = below, Low = low, Runs = runs, Folded = folded }, FoldEnd.Whole);
            });
    }

    private void Commit(Action<List<StoreField>, List<BlobWrite>> fill, LayerCounts counts, Action then) => queue.EnqueueStep(new(CommitTarget.Layer, "fold", state.Now)
    {
        IsInternal = true,
        Build = () =>
        {
            var (fields, blobs) = (new List<StoreField>(), new List<BlobWrite>());
            // Sent once before, and it is known that it will never take effect: what it wrote is nobody's.
            _garbage.AddRange(_written);
            fill(fields, blobs);
            _written = [.. blobs.Select(blob => blob.Id)];
            fields.Add(new(FieldNames.Count, counts.Encode()));
            fields.Add(new(FieldNames.Blob, LayerHead.EncodeBlobCounter(state.Owner.Nonce, state.NextFoldBlob)));
            fields.Add(new(FieldNames.Garbage, LayerHead.EncodeBlobs(_garbage)));
            fields.Add(new(FieldNames.Event, Events.Encode(over.Seq + 1, "fold=1")));
            return new() { Vmo = over.Id.Home, Owner = state.Owner, Target = CommitTarget.Layer, Layer = over.Id, Seq = over.Seq, Fields = fields, Blobs = blobs };
        },
        SeqMoved = seq => over = over with { Seq = seq },
        Applied = () =>
        {
            (over, _written) = (over with { Seq = over.Seq + 1, Counts = counts }, []);
            if (IsStillWanted)
                then();
            else
                ended(over, FoldEnd.Failed);
        },
        Failed = () =>
        {
            _garbage.AddRange(_written);
            Clean();
            ended(over, FoldEnd.Failed);
        },
    });

    private bool HasFailed(Outcome outcome)
    {
        if (outcome.IsOk && IsStillWanted)
            return false;
        ended(over, FoldEnd.Failed);
        return true;
    }

    // A dying VMO frees its layers; there is nothing to be gained any more.
    private bool IsStillWanted => state.Record.State != VmoState.Dying;

    private static int Stored(Leaf leaf)
    {
        var stored = 0;
        for (var i = 0; i < Limits.LeafPages; i++)
            stored += leaf[i].IsStored ? 1 : 0;
        return stored;
    }
}
