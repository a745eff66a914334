using VmoCluster.Core.Contents;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>
/// What a VMO does when nobody wants anything: leaves that still hold dead slots are rewritten and their runs dropped, half-dead and small
/// blobs are put together, marks of empty leaves are removed. One piece of work at a time.
/// </summary>
internal sealed class Upkeep(MachineState state, Loads loads, Action<UpkeepChange> enqueue)
{
    private const int LeavesAtOnce = 256;
    private const int PagesAtOnce = 2 * Limits.BlobPagesMax;
    private const int MarksAtOnce = 512;

    /// <summary>Milliseconds without a change after which small blobs are put together.</summary>
    private const int QuietMs = 500;

    /// <summary>Dead pages below which a layer that is not wholly in memory is left alone.</summary>
    private const ulong GarbagePagesMin = 256;

    /// <summary>Blobs that may be garbage above which a layer is counted whatever its size.</summary>
    private const int DoubtsMax = 64;

    /// <summary>Pages of a layer that is counted in a quiet moment, for a single one.</summary>
    private const ulong CheapPagesMax = 4096;

    private long _lastChangeMs;
    private bool _isLeavesKnown;
    private bool _isBusy;

    /// <summary>Marks are being removed: no commit may be sent.</summary>
    public bool IsRemoving { get; private set; }

    /// <summary>Whether a later tick may find work: small blobs and marks wait for quiet times.</summary>
    public bool WantsTick => !IsQuiet || _isBusy || state.Layer.Marks.Count > 0;

    /// <summary>A change was made: blobs that are small now may be rewritten soon anyway.</summary>
    public void Changed() => _lastChangeMs = state.Now.MonotonicMs;

    /// <summary>The upkeep in the queue is done, or failed.</summary>
    public void Done() => _isBusy = false;

    public void Removed(MarksRemoved input)
    {
        IsRemoving = false;
        foreach (var name in input.Remove.Names)
        {
            if (Encoding.FieldNames.TryReadLeaf(name.Span, out var leaf))
                state.Layer.Marks.Remove(leaf);
        }
    }

    /// <summary>Begins a piece of work if there is any. Called when queue and flight are empty.</summary>
    public void Begin()
    {
        if (_isBusy || IsRemoving)
            return;
        var layer = state.Layer;
        if (layer.Map.Runs.Any(run => run.IsClearing))
            CleanRuns();
        else if (!layer.Uses.IsComplete && (IsWasteful || IsDoubting))
            Wait(loads.NeedAll);
        else if ((IsQuiet || IsWasteful) && Repack())
            return;
        else if (IsQuiet && layer.Marks.Count > 0)
            RemoveMarks();
    }

    private bool IsWasteful => state.Layer.Counts.BlobPages - state.Layer.Counts.Stored > Math.Max(GarbagePagesMin, state.Layer.Counts.Stored / 2);

    // What was lost is counted soon where that is cheap, and later where it would be a long scan for little.
    private bool IsDoubting => state.Layer.Doubtful.Count >= (state.Layer.Counts.Stored <= CheapPagesMax ? (IsQuiet ? 1 : DoubtsMax) : DoubtsMax);

    private bool IsQuiet => state.Now.MonotonicMs - _lastChangeMs >= QuietMs;

    private void CleanRuns()
    {
        // Leaves cleared by this activation are listed; after a take-over only a scan tells which still hold dead slots.
        if (!_isLeavesKnown)
        {
            _isLeavesKnown = true;
            if (Wait(loads.NeedAll))
                return;
        }

        var leaves = state.Layer.DirtyInStore.Take(LeavesAtOnce).ToList();
        foreach (var leaf in leaves)
        {
            if (!state.Layer.Map.Knows(leaf / Limits.ExtentLeaves))
            {
                Wait(waiter => loads.NeedLeaves(new(new(leaf * Limits.LeafPages), Limits.LeafPages), waiter));
                return;
            }
        }

        Enqueue(new(state.Layer.Id, state.Now) { IsInternal = true, Leaves = leaves, DropRuns = leaves.Count == 0 });
    }

    private bool Repack()
    {
        var layer = state.Layer;
        var blobs = layer.Uses.Candidates(PagesAtOnce);
        if (blobs.Count == 0)
            return false;
        _isBusy = true;
        var buffers = new List<(BlobId Blob, int Pages, byte[] Bytes)>();
        var reads = new List<BlobRead>();
        foreach (var blob in blobs)
        {
            layer.Uses.TryGet(blob, out var pages, out _);
            var bytes = new byte[pages * (Limits.PageBytes + 8)];
            buffers.Add((blob, pages, bytes));
            reads.Add(new(layer.Id, blob, BlobLayout.HeaderBytes, bytes));
        }

        state.Effects.Add(new LoadBlobs(reads)
        {
            Then = (found, outcome) =>
            {
                if (outcome.IsOk && found.All(isFound => isFound) && !state.IsEnded)
                    new Move(this, buffers).Resume();
                else
                    _isBusy = false;
            },
        });
        return true;
    }

    private void RemoveMarks()
    {
        IsRemoving = true;
        state.Effects.Add(new RemoveMarks([.. state.Layer.Marks.Take(MarksAtOnce).Select(Encoding.FieldNames.Leaf)]));
    }

    private bool Wait(Func<ILoadWaiter, bool> need)
    {
        _isBusy = true;
        if (need(new Pause(this)))
            return true;
        _isBusy = false;
        return false;
    }

    private void Enqueue(UpkeepChange change)
    {
        // A dying VMO has listed its blobs perhaps, while pages were being read for this: nobody would free what it writes.
        _isBusy = state.Record.State != VmoState.Dying;
        if (_isBusy)
            enqueue(change);
    }

    private class Pause(Upkeep upkeep) : ILoadWaiter
    {
        protected bool HasFailed { get; private set; }
        public int LoadsPending { get; set; }

        public void PageArrived(in PageKey key, byte[]? page)
        {
        }

        public void LoadFailed(Outcome outcome) => HasFailed = true;

        public virtual void Resume() => upkeep._isBusy = false;
    }

    /// <summary>Pages of some blobs on their way into a new one.</summary>
    private sealed class Move(Upkeep upkeep, List<(BlobId Blob, int Pages, byte[] Bytes)> buffers) : Pause(upkeep)
    {
        private readonly Upkeep _upkeep = upkeep;
        private readonly LayerId _layer = upkeep.State.Layer.Id;

        public override void Resume()
        {
            if (HasFailed)
            {
                _upkeep._isBusy = false;
                return;
            }

            var map = _upkeep.State.Layer.Map;
            var moves = new List<(ulong, Slot, ReadOnlyMemory<byte>)>();
            var waits = false;
            foreach (var (blob, count, bytes) in buffers)
            {
                var pages = BlobLayout.ReadTrailer(bytes.AsSpan(count * Limits.PageBytes));
                for (var i = 0; i < count; i++)
                {
                    if (!map.Knows(LayerMap.ExtentOf(pages[i])))
                    {
                        waits |= _upkeep.NeedLeaves(pages[i], this);
                        continue;
                    }

                    var slot = map.SlotOf(pages[i]);
                    var page = bytes.AsMemory(i * Limits.PageBytes, Limits.PageBytes);
                    if (slot.IsStored && slot.Blob == blob && slot.Index == i && slot.Checksum == BlobLayout.Checksum(page.Span))
                        moves.Add((pages[i], slot, page));
                }
            }

            if (!waits)
                _upkeep.Enqueue(new(_layer, _upkeep.State.Now) { IsInternal = true, Moves = moves });
        }
    }

    private MachineState State => state;

    private bool NeedLeaves(ulong page, ILoadWaiter waiter) => loads.NeedLeaves(new(new(page), 1), waiter);
}
