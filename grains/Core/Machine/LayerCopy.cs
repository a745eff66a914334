using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>How a fold, or the absorption of another VMO's layers, came to its end.</summary>
internal enum FoldEnd
{
    /// <summary>All is in the upper layer, and it looks past what it was copied from.</summary>
    Whole,

    /// <summary>The store did not do its part; it may be begun anew.</summary>
    Failed,

    /// <summary>It cannot be folded as it is: it is damaged, has too many runs, or is too large.</summary>
    Unfit,
}

/// <summary>
/// Copies pages into a frozen layer, a portion at a time, wherever that one says nothing itself. What is copied shows there already, from below; so
/// nothing that shows through the layer ever changes by it, and it needs no instant, no recall and no reader's consent: at every moment, also after
/// a crash between any two steps, each page shows what it showed.
/// </summary>
/// <param name="state">The VMO.</param>
/// <param name="queue">Its commits go before the changes that wait, one at a time among them.</param>
/// <param name="into">The layer that is filled.</param>
/// <param name="ended">Told when it cannot go on. Nothing is lost then.</param>
internal sealed class LayerCopy(MachineState state, ChangeQueue queue, LayerSummary into, Action<FoldEnd> ended)
{
    private const int PagesAtOnce = Limits.ExtentPages;
    private const int LeavesAtOnce = 512;

    private readonly Queue<(ulong Number, Shown[] Shown)> _leaves = [];
    private List<BlobId> _garbage = [];
    private List<BlobId> _written = [];

    /// <summary>The layer as it is now.</summary>
    public LayerSummary Into => into;

    /// <summary>What a commit did beside copying.</summary>
    public void Change(Func<LayerSummary, LayerSummary> change) => into = change(into);

    // A dying VMO frees its layers; there is nothing to be gained any more.
    private bool IsStillWanted => state.Record.State != VmoState.Dying;

    /// <summary>Begins. What an owner before wrote ahead of a commit that never came is put on the list of what must go.</summary>
    public void Begin(Action then)
    {
        _garbage = [.. into.Garbage, .. into.NextBlob.Nonce == state.Owner.Nonce ? [] : into.WrittenAhead];
        Commit((_, _) => { }, into.Counts, () =>
        {
            Clean();
            then();
        });
    }

    /// <summary>What the pages of a leaf show from below; nothing where nothing is to be copied.</summary>
    public void Add(ulong number, Shown[] shown) => _leaves.Enqueue((number, shown));

    /// <summary>Copies all that was added.</summary>
    public void Run(Action then)
    {
        var portion = new List<(ulong Number, Shown[] Shown)>();
        for (var pages = 0; portion.Count < LeavesAtOnce && _leaves.TryPeek(out var next);)
        {
            pages += next.Shown.Count(shown => shown.IsStored);
            if (pages > PagesAtOnce && portion.Count > 0)
                break;
            portion.Add(_leaves.Dequeue());
        }

        if (portion.Count == 0)
            then();
        else
            state.Effects.Add(new LoadFields(into.Id, [.. portion.Select(leaf => FieldNames.Leaf(leaf.Number))]) { Then = (found, outcome) => Lay(portion, found, outcome, then) });
    }

    /// <summary>One commit of the layer, with these fields beside the usual.</summary>
    public void Commit(Action<List<StoreField>, List<BlobWrite>> fill, LayerCounts counts, Action then, bool isStructure = false) => queue.EnqueueStep(new(CommitTarget.Layer, "fold", state.Now)
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
            fields.Add(new(FieldNames.Event, Events.Encode(into.Seq + 1, "fold=1")));
            return new() { Vmo = into.Id.Home, Owner = state.Owner, Target = CommitTarget.Layer, Layer = into.Id, Seq = into.Seq, Fields = fields, Blobs = blobs, IsStructure = isStructure };
        },
        SeqMoved = seq => into = into with { Seq = seq },
        Applied = () =>
        {
            (into, _written) = (into with { Seq = into.Seq + 1, Counts = counts }, []);
            if (IsStillWanted)
                then();
            else
                ended(FoldEnd.Failed);
        },
        Failed = () =>
        {
            _garbage.AddRange(_written);
            Clean();
            ended(FoldEnd.Failed);
        },
    });

    /// <summary>Unlinks what no slot of the layer names any more.</summary>
    public void Clean()
    {
        if (_garbage.Count == 0)
            return;
        var some = _garbage;
        state.Effects.Add(new UnlinkBlobs(into.Id, some)
        {
            Then = outcome =>
            {
                if (outcome.IsOk)
                    _garbage = [.. _garbage.Except(some)];
            },
        });
    }

    /// <summary>Whether it must end here.</summary>
    public bool HasFailed(Outcome outcome)
    {
        if (outcome.IsOk && IsStillWanted)
            return false;
        ended(FoldEnd.Failed);
        return true;
    }

    // What the layer leaves open, out of what shows there from below.
    private void Lay(List<(ulong Number, Shown[] Shown)> portion, StoredHash? found, Outcome outcome, Action then)
    {
        if (HasFailed(outcome))
            return;
        if (found is null)
        {
            ended(FoldEnd.Failed);
            return;
        }

        var old = new Dictionary<ulong, Leaf>();
        foreach (var field in found.Fields)
        {
            if (FieldNames.TryReadLeaf(field.Name.Span, out var number) && LeafCodec.Decode(field.Value.Span) is { } leaf)
                old[number] = Runs.Clean(into.Runs, number, leaf);
        }

        var (laid, moves) = (new SortedDictionary<ulong, Leaf>(), new List<(ulong Page, Shown From)>());
        var counts = into.Counts;
        foreach (var (number, below) in portion)
        {
            var mine = old.GetValueOrDefault(number)?.Copy() ?? new();
            var isLaid = false;
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                var (page, shown) = ((number * Limits.LeafPages) + (ulong)i, below[i]);
                if (shown.IsNothing || !mine[i].IsAbsent || page >= into.Low || Runs.Lying(into.Runs, page) is not null)
                    continue;
                isLaid = true;
                if (shown.IsStored)
                    moves.Add((page, shown));
                else
                    mine[i] = shown.Slot with { Version = into.Seq + 1 };
                if (shown.Slot.State == SlotState.Data)
                    counts = counts with { Data = counts.Data + 1 };
            }

            if (isLaid)
                laid[number] = mine;
        }

        if (moves.Count > 0)
            Read(moves, pages => Write(laid, pages, counts, then));
        else if (laid.Count > 0)
            Write(laid, [], counts, then);
        else
            Run(then);
    }

    // Neighbours in a blob are one read.
    private void Read(List<(ulong Page, Shown From)> moves, Action<List<(ulong Page, ReadOnlyMemory<byte> Bytes)>> then)
    {
        var sorted = moves.OrderBy(move => (move.From.Layer.Number, move.From.Slot.Blob.Nonce, move.From.Slot.Blob.Counter, move.From.Slot.Index)).ToList();
        var (reads, pages) = (new List<BlobRead>(), new List<(ulong Page, Slot From, ReadOnlyMemory<byte> Bytes)>());
        for (var at = 0; at < sorted.Count;)
        {
            var (first, count) = (sorted[at].From, 1);
            while (at + count < sorted.Count && sorted[at + count].From is var next && next.Layer == first.Layer && next.Slot.Blob == first.Slot.Blob && next.Slot.Index == first.Slot.Index + count)
                count++;
            var buffer = new byte[count * Limits.PageBytes];
            reads.Add(new(first.Layer, first.Slot.Blob, BlobLayout.OffsetOf(first.Slot.Index), buffer));
            for (var i = 0; i < count; i++)
                pages.Add((sorted[at + i].Page, sorted[at + i].From.Slot, buffer.AsMemory(i * Limits.PageBytes, Limits.PageBytes)));
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
                    ended(FoldEnd.Unfit);
            },
        });
    }

    private void Write(SortedDictionary<ulong, Leaf> laid, List<(ulong Page, ReadOnlyMemory<byte> Bytes)> pages, LayerCounts counts, Action then) => Commit(
        (fields, blobs) =>
        {
            // Built when it is sent: a settling may have moved the layer's seq on, and a version must be above every clearing run's.
            foreach (var (blob, slots) in BlobLayout.Pack(pages, () => new(state.Owner.Nonce, state.NextFoldBlob++), into.Seq + 1))
            {
                blobs.Add(blob);
                foreach (var (page, slot) in slots)
                    laid[Leaf.Of(page)][Leaf.IndexOf(page)] = slot;
            }

            foreach (var (number, leaf) in laid)
                fields.Add(new(FieldNames.Leaf(number), LeafCodec.Encode(leaf)));
        },
        counts with { Stored = counts.Stored + (ulong)pages.Count, BlobPages = counts.BlobPages + (ulong)pages.Count },
        () => Run(then));
}
