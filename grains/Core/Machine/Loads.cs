using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>What is on its way into memory, and who waits for it. Concurrent misses of one thing are one load.</summary>
internal sealed class Loads(MachineState state)
{
    /// <summary>Extents loaded one by one; a range that lacks more is met by a scan of the layer.</summary>
    private const int ExtentsAtOnceMax = 64;

    private readonly Dictionary<ulong, List<ILoadWaiter>> _extents = [];
    private readonly Dictionary<PageKey, PageLoad> _pages = [];
    private readonly List<ILoadWaiter> _scan = [];
    private readonly Dictionary<(LayerId Layer, ulong Extent), FrozenWait> _frozen = [];
    private readonly Dictionary<ulong, List<ILoadWaiter>> _live = [];

    // The layer whose fields were counted, how many they were, and who waits for that.
    private readonly List<ILoadWaiter> _counting = [];
    private (LayerId Layer, long Fields) _counted;

    // What waiters are gathering. It is not dropped before they have had their turn, or two of them could keep each other from ever going on.
    private readonly Dictionary<ILoadWaiter, PageRange> _gathering = [];

    /// <summary>While a scan is under way no extent may be dropped: the scan may have passed it in an older state.</summary>
    public bool IsScanning { get; private set; }

    /// <summary>Whether nobody waits for anything.</summary>
    public bool IsIdle => _extents.Count == 0 && _counting.Count == 0 && _frozen.Count == 0 && _live.Count == 0 && _pages.Count == 0 && _gathering.Count == 0;

    /// <summary>Whether an extent is on its way, or part of what somebody gathers.</summary>
    public bool IsWanted(ulong extent)
    {
        var pages = new PageRange(new(extent * Limits.ExtentPages), Limits.ExtentPages);
        return _extents.ContainsKey(extent) || _gathering.Values.Any(pages.Overlaps);
    }

    /// <summary>Asks for the leaves of a range. True: the waiter has to wait.</summary>
    public bool NeedLeaves(PageRange range, ILoadWaiter waiter)
    {
        if (state.Layer.Map.UnknownIn(range, ExtentsAtOnceMax) is not { } unknown)
            return NeedAll(waiter);
        foreach (var extent in unknown)
        {
            if (!_extents.TryGetValue(extent, out var waiters))
            {
                _extents.Add(extent, waiters = []);
                var names = new ReadOnlyMemory<byte>[Limits.ExtentLeaves];
                for (var i = 0; i < names.Length; i++)
                    names[i] = FieldNames.Leaf((extent * Limits.ExtentLeaves) + (ulong)i);
                state.Effects.Add(new LoadLeaves(state.Layer.Id, extent, names));
            }

            waiters.Add(waiter);
            waiter.LoadsPending++;
            var gathered = _gathering.GetValueOrDefault(waiter, range);
            var first = Math.Min(gathered.First.Value, range.First.Value);
            _gathering[waiter] = new(new(first), Math.Max(gathered.End.Value, range.End.Value) - first);
        }

        return unknown.Count > 0;
    }

    /// <summary>Asks for every leaf of the layer. True: the waiter has to wait.</summary>
    public bool NeedAll(ILoadWaiter waiter)
    {
        if (state.Layer.Map.IsComplete)
            return false;
        if (!IsScanning)
        {
            IsScanning = true;
            state.Effects.Add(new ScanLeaves(state.Layer.Id));
        }

        _scan.Add(waiter);
        waiter.LoadsPending++;
        return true;
    }

    /// <summary>Asks for every leaf of the layer if it has no more fields than that, and if there is room for them. True: the waiter has to wait.</summary>
    public bool NeedAllOfFew(long most, ILoadWaiter waiter)
    {
        if (state.Layer.Map.IsComplete || state.Memory.Budget.IsOver)
            return false;
        if (_counted.Layer == state.Layer.Id)
            return _counted.Fields <= most && NeedAll(waiter);
        if (_counting.Count == 0)
            state.Effects.Add(new CountFields(state.Layer.Id));
        _counting.Add(waiter);
        waiter.LoadsPending++;
        return true;
    }

    /// <summary>Asks for what lies under a range whose leaves are known. True: the waiter has to wait.</summary>
    public bool NeedBelow(PageRange range, BelowNeed need, ILoadWaiter waiter)
    {
        if (!state.Sight.HasBelow)
            return false;
        var missing = new HashSet<(LayerId Layer, ulong Extent)>();
        var views = new HashSet<ulong>();
        state.Sight.FindMissing(range, need, missing, views);
        foreach (var key in missing)
        {
            if (!_frozen.TryGetValue(key, out var wait))
            {
                _frozen.Add(key, wait = new() { Forgotten = state.Sight.Forgotten });
                state.Effects.Add(new LoadFrozen(key.Layer, key.Extent));
            }

            wait.Waiters.Add(waiter);
            waiter.LoadsPending++;
        }

        foreach (var extent in views)
        {
            if (!_live.TryGetValue(extent, out var waiters))
            {
                _live.Add(extent, waiters = []);
                state.Effects.Add(new LoadLive(state.Record.Meta.ShownVmo, extent));
            }

            waiters.Add(waiter);
            waiter.LoadsPending++;
        }

        return missing.Count + views.Count > 0;
    }

    public void Loaded(LiveLoaded input)
    {
        if (!_live.Remove(input.Load.Extent, out var waiters))
            return;
        if (input.View is { } view)
            state.Sight.Hold(input.Load.Extent, view);
        Finish(waiters, input.Outcome);
    }

    public void Loaded(FrozenLoaded input)
    {
        if (!_frozen.TryGetValue((input.Load.Layer, input.Load.Extent), out var wait))
            return;
        // Taken over meanwhile, and maybe freed: whatever was found, or not, is no matter. Whoever waits looks at what lies there now.
        if (!state.Sight.LooksThrough(input.Load.Layer))
        {
            _frozen.Remove((input.Load.Layer, input.Load.Extent));
            Finish(wait.Waiters, Outcome.Ok);
            return;
        }

        if (input.Shown is { } shown)
        {
            // Looked up, maybe, before the blob went that was found gone since: whoever found that waits for what is true after it.
            if (wait.Forgotten != state.Sight.Forgotten)
            {
                wait.Forgotten = state.Sight.Forgotten;
                state.Effects.Add(new LoadFrozen(input.Load.Layer, input.Load.Extent));
                return;
            }

            state.Sight.Hold(input.Load.Layer, input.Load.Extent, shown);
        }

        _frozen.Remove((input.Load.Layer, input.Load.Extent));
        Finish(wait.Waiters, input.Outcome);
    }

    // An extent of a frozen layer on its way.
    private sealed class FrozenWait
    {
        public List<ILoadWaiter> Waiters { get; } = [];

        // What had been forgotten when it was asked for.
        public long Forgotten { get; set; }
    }

    /// <summary>Asks for pages that are not in memory, neighbours in a blob one after the other.</summary>
    public void NeedPages(List<(PageKey Key, uint Checksum)> pages, ILoadWaiter waiter)
    {
        pages.Sort((left, right) => PlaceOf(left.Key).CompareTo(PlaceOf(right.Key)));
        var wanted = new List<PageLoad>();
        PageKey? last = null;
        foreach (var (key, checksum) in pages)
        {
            if (last == key)
                continue;
            last = key;
            if (!_pages.TryGetValue(key, out var load))
            {
                _pages.Add(key, load = new(key, checksum));
                wanted.Add(load);
            }

            load.Waiters.Add(waiter);
            waiter.LoadsPending++;
        }

        if (wanted.Count > 0)
            Send(wanted);
    }

    public void Loaded(LeavesLoaded input)
    {
        if (!_extents.Remove(input.Load.Extent, out var waiters))
            return;
        // After a freeze they are another layer's: whoever waits looks again.
        if (input.Outcome.IsOk && input.Load.Layer == state.Layer.Id)
            state.Layer.Map.PutExtent(input.Load.Extent, input.Fields);
        Finish(waiters, input.Outcome);
    }

    public void Counted(FieldsCounted input)
    {
        // Whoever asks for a few can do without.
        _counted = (input.Count.Layer, input.Outcome.IsOk ? input.Fields : long.MaxValue);
        var waiters = _counting.ToList();
        _counting.Clear();
        Finish(waiters, Outcome.Ok);
    }

    public void Scanned(LeavesScanned input)
    {
        IsScanning = false;
        if (input.Outcome.IsOk && input.Scan.Layer == state.Layer.Id)
        {
            var map = state.Layer.Map;
            map.PutScanned(input.Fields, map.KnownExtents());
            map.Complete();
            var killed = new HashSet<BlobId>();
            foreach (var field in input.Fields)
                NoteStored(field, killed);
            Recount(killed);
        }

        var waiters = _scan.ToList();
        _scan.Clear();
        Finish(waiters, input.Outcome);
    }

    // A leaf whose stored form is older than a clearing run over it, or empty, is work for the upkeep.
    private void NoteStored(StoreField field, HashSet<BlobId> killed)
    {
        if (!FieldNames.TryReadLeaf(field.Name.Span, out var number))
            return;
        var pages = new PageRange(new(number * Limits.LeafPages), Limits.LeafPages);
        if (field.Value.IsEmpty && state.Layer.Map.LeafAt(number) is null)
            state.Layer.Marks.Add(number);
        else if (state.Layer.Map.Runs.Any(run => run.IsClearing && run.Range.Overlaps(pages)))
        {
            state.Layer.DirtyInStore.Add(number);
            // Nothing else names what only its dead slots name.
            if (LeafCodec.Decode(field.Value.Span) is { } leaf)
                killed.UnionWith(Enumerable.Range(0, Limits.LeafPages).Select(i => leaf[i]).Where(slot => slot.IsStored).Select(slot => slot.Blob));
        }
    }

    private void Recount(HashSet<BlobId> doubtful)
    {
        var (layer, uses) = (state.Layer, state.Layer.Uses);
        uses.Clear();
        foreach (var (_, leaf) in state.Layer.Map.LeavesIn(new(new(0), Limits.SizeBytesMax / Limits.PageBytes)))
        {
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                if (leaf[i].IsStored)
                    uses.Found(leaf[i]);
            }
        }

        uses.IsComplete = true;
        // Known now: whoever loses a page from here on knows how many are left.
        doubtful.UnionWith(layer.Doubtful);
        doubtful.ExceptWith(uses.Blobs);
        doubtful.ExceptWith(layer.Dead);
        layer.Dead.AddRange(doubtful);
        layer.IsDoubtfulStale |= layer.Doubtful.Count > 0;
        layer.Doubtful.Clear();
        layer.Counts = layer.Counts with { BlobPages = uses.Pages };
    }

    private static (ulong Home, uint Number, uint Nonce, uint Counter, byte Index) PlaceOf(in PageKey key) =>
        (key.Layer.Home.Value, key.Layer.Number, key.Blob.Nonce, key.Blob.Counter, key.Index);

    // Each page comes into the array that the cache will hold; the store reads neighbours as one.
    private void Send(List<PageLoad> wanted)
    {
        var reads = wanted.ConvertAll(load => new BlobRead(load.Key.Layer, load.Key.Blob, BlobLayout.OffsetOf(load.Key.Index), load.Page));
        state.Effects.Add(new LoadBlobs(reads) { Then = (found, outcome) => Arrived(wanted, found, outcome) });
    }

    private void Arrived(List<PageLoad> wanted, IReadOnlyList<bool> found, Outcome outcome)
    {
        var waiters = new List<ILoadWaiter>();
        for (var i = 0; i < wanted.Count; i++)
        {
            var load = wanted[i];
            _pages.Remove(load.Key);
            Deliver(load, outcome.IsOk && found[i] ? load.Page : null, outcome);
            waiters.AddRange(load.Waiters);
        }

        Finish(waiters, Outcome.Ok);
    }

    private void Deliver(PageLoad load, byte[]? page, Outcome outcome)
    {
        if (page is not null && BlobLayout.Checksum(page) is var sum && sum != load.Checksum)
        {
            outcome = new(VmoStatus.DataIntegrity, $"a stored page of VMO {load.Key.Layer.Home} has checksum {sum:x8}, written was {load.Checksum:x8}");
            page = null;
        }

        if (page is not null)
            state.Cache.Add(load.Key, page);
        foreach (var waiter in load.Waiters)
        {
            if (outcome.IsOk)
                waiter.PageArrived(load.Key, page);
            else
                waiter.LoadFailed(outcome);
        }
    }

    private void Finish(List<ILoadWaiter> waiters, Outcome outcome)
    {
        foreach (var waiter in waiters)
        {
            if (!outcome.IsOk)
                waiter.LoadFailed(outcome);
            if (--waiter.LoadsPending > 0)
                continue;
            waiter.Resume();
            if (waiter.LoadsPending == 0)
                _gathering.Remove(waiter);
        }
    }

    private sealed record PageLoad(PageKey Key, uint Checksum)
    {
        // Shown to nobody before all of it has come.
        public byte[] Page { get; } = GC.AllocateUninitializedArray<byte>(Limits.PageBytes);

        public List<ILoadWaiter> Waiters { get; } = [];
    }
}
