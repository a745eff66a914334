using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// A batch of changes of the top layer, from images to commit to publication. Sizes, rights and handles are checked as a change is added,
/// so each change is decided over all that stand before it. Nothing of the layer changes until <see cref="Publish"/>.
/// </summary>
internal sealed class LayerBatch
{
    /// <summary>Pages of a range up to which each page is looked at, through all that lies below; above, runs speak for them.</summary>
    public const int EachPageMax = 16 * Limits.ExtentPages;

    /// <summary>Blobs of one commit at the most.</summary>
    public const int BlobsMax = Limits.CommitBytesMax / Limits.PageBytes / 4;

    /// <summary>Changes of one batch at the most.</summary>
    private const int ChangesMax = 1024;

    /// <summary>Leaves of a cleared range up to which they are rewritten at once; above, a run speaks for them.</summary>
    private const int LeavesAtOnceMax = 512;

    /// <summary>
    /// Pages of one write up to which they are kept in memory once written. Above, it is a transfer: whoever moves much seldom reads it at
    /// once, and would drive out what others read.
    /// </summary>
    private const int CachedWritePages = Limits.LeafPages;

    /// <summary>Pages of a range up to which its op may stand in a batch with others.</summary>
    private const int SmallRangePages = Limits.ExtentPages;

    private readonly LayerHead _layer;
    private readonly Sight _sight;
    private readonly IPageCache _cache;
    private readonly VmoRecord _record;
    private readonly uint _nonce;
    private readonly Instant _now;
    private readonly Dictionary<ulong, PageImage> _images = [];
    private readonly List<RingEntry> _answered = [];
    private readonly Dictionary<string, int> _calls = new(StringComparer.Ordinal);
    private readonly Dictionary<ulong, Leaf?> _leaves = [];
    private readonly List<(PageKey Key, PageImage Image)> _stored = [];
    private readonly List<(BlobId Blob, int Pages)> _blobs = [];
    private readonly Dictionary<BlobId, int> _lost = [];
    private readonly List<PageKey> _replaced = [];
    private readonly HashSet<BlobId> _lostWhole = [];
    private readonly HashSet<ulong> _rewritten = [];
    private List<Run> _runs;
    private readonly List<BlobId> _dead = [];
    private readonly List<BlobId> _doubtful = [];
    private List<BlobId>? _doubtfulStored;
    private PageRange? _clearedByRun;
    private PageRange? _bulk;
    private readonly LayerCounts _countsBefore;
    private LayerCounts _counts;
    private ulong _size;
    private ulong _low;
    private ulong _contentSize;
    private uint _nextBlob;
    private int _bytesPages;
    private bool? _isRelease;
    private bool _isClosed;
    private PreparedSlot? _ring;

    public LayerBatch(MachineState state)
    {
        var layer = state.Layer;
        (_layer, _sight, _cache, _record, _nonce, _now) = (layer, state.Sight, state.Cache, state.Record, state.Owner.Nonce, state.Now);
        _runs = [.. layer.Map.Runs];
        _counts = _countsBefore = layer.Counts;
        _size = layer.Size;
        _low = layer.Low;
        _contentSize = layer.ContentSize;
        _nextBlob = layer.NextBlob;
    }

    /// <summary>What has been decided, in order; told when the batch is durable.</summary>
    public List<(Change Change, Outcome Outcome)> Decided { get; } = [];

    /// <summary>A live parent's view was recalled while the batch was built: nothing of it may be used.</summary>
    public bool IsTorn { get; private set; }

    /// <summary>The seq the commit leads to.</summary>
    public ulong Version => _layer.Seq + 1;

    /// <summary>Blobs written by the commit, to be unlinked if it is not applied.</summary>
    public IEnumerable<BlobId> WrittenBlobs => _blobs.Select(blob => blob.Blob);

    /// <summary>Pages with bytes in the commit.</summary>
    public int PagesStored => _stored.Count;

    /// <summary>Whether it changes an extent.</summary>
    public bool IsTouching(ulong extent) =>
        _bulk is { } bulk && bulk.Overlaps(new(new(extent * Limits.ExtentPages), Limits.ExtentPages))
        || _leaves.Keys.Any(leaf => leaf / Limits.ExtentLeaves == extent)
        || _rewritten.Any(leaf => leaf / Limits.ExtentLeaves == extent);

    /// <summary>Adds a change, all of whose loads are done. False: it does not fit; send what is there first.</summary>
    public bool TryAdd(Change change)
    {
        if (_isClosed || Decided.Count >= ChangesMax)
            return false;
        if (change.DeadlineMs <= _now.MonotonicMs && !change.IsInternal)
        {
            Decided.Add((change, new(VmoStatus.TimedOut, $"the {change.Name} waited until its deadline and was not begun")));
            return true;
        }

        if (!change.LoadFailure.IsOk)
            return Decide(change, change.LoadFailure);
        var fits = change switch
        {
            WriteChange write => AddWrite(write),
            UpkeepChange upkeep => AddUpkeep(upkeep),
            CallChange { Call: SetSizeCall call } => AddSetSize(change, call),
            CallChange { Call: SetContentSizeCall call } => AddSetContentSize(change, call),
            CallChange { Call: OpRangeCall call } => AddOpRange(change, call),
            _ => throw new InvariantException($"a change of the layer of kind {change.Name}"),
        };
        return fits;
    }

    private bool AddWrite(WriteChange write)
    {
        var range = new ByteRange(write.Offset, (ulong)write.Data.Length);
        var outcome = Authority.Check(_record.Handles, write.Head.Secret, VmoRights.Write, _now, out var handle);
        if (outcome.IsOk)
            outcome = Authority.CheckRange(handle!, range, _size, "write");
        if (!outcome.IsOk || range.Length == 0)
            return Decide(write, outcome);
        var pages = PageRange.Covering(range);
        if (!Fits(release: false, (int)pages.Count) || !HasBytes(range, write))
            return false;
        for (var page = pages.First.Value; page < pages.End.Value; page++)
        {
            var start = page * Limits.PageBytes;
            var from = start < range.Offset ? (int)(range.Offset - start) : 0;
            var to = (int)Math.Min(Limits.PageBytes, range.End - start);
            var data = write.Data.Slice((int)(start + (ulong)from - range.Offset), to - from);
            if (to - from == Limits.PageBytes)
                WriteWhole(page, data, own: null, isKept: pages.Count <= CachedWritePages);
            else
                WritePart(page, from, data.Span, write);
        }

        return Accept(write);
    }

    private void WriteWhole(ulong page, ReadOnlyMemory<byte> data, byte[]? own, bool isKept = true)
    {
        if (!data.Span.ContainsAnyExcept((byte)0))
        {
            // Zeros over what is not committed store nothing where zeros show anyway.
            _images[page] = PageImage.Zeros(IsCommittedNow(page));
            return;
        }

        if (!_images.TryGetValue(page, out var before) || before.Bytes is null)
            _bytesPages++;
        _images[page] = new(true, data, own, IsKept: isKept);
    }

    private void WritePart(ulong page, int from, ReadOnlySpan<byte> data, Change change)
    {
        var before = Now(page);
        if (before.Own is { } own && _images.ContainsKey(page))
        {
            data.CopyTo(own.AsSpan(from));
            WriteWhole(page, own, own);
            return;
        }

        var merged = new byte[Limits.PageBytes];
        BytesOf(page, before, change).Span.CopyTo(merged);
        data.CopyTo(merged.AsSpan(from));
        WriteWhole(page, merged, merged);
    }

    private bool AddSetContentSize(Change change, SetContentSizeCall call)
    {
        // HEAD's order (C124): both rights are looked for; a narrowed handle speaks for its range only.
        var outcome = Authority.Check(_record.Handles, call.Head.Secret, VmoRights.SetProperty | VmoRights.Write, _now, out var handle);
        if (outcome.IsOk && handle!.Range is not null)
            outcome = new(VmoStatus.AccessDenied, "the content size cannot be set through a handle for a part of the VMO");
        if (!outcome.IsOk)
            return Decide(change, outcome);
        if (!Fits(release: false, 0))
            return false;
        _contentSize = call.Size;
        return Accept(change);
    }

    private bool AddSetSize(Change change, SetSizeCall call)
    {
        var outcome = Authority.Check(_record.Handles, call.Head.Secret, VmoRights.Write, _now, out var handle);
        if (outcome.IsOk && handle!.Range is not null)
            outcome = new(VmoStatus.AccessDenied, "a VMO cannot be resized through a handle for a part of it");
        if (outcome.IsOk && !_record.Meta.IsResizable)
            outcome = new(VmoStatus.Unavailable, $"the VMO is not resizable; its size stays {_size}");
        var size = 0ul;
        if (outcome.IsOk)
            outcome = Sizes.TryRound(call.Size, out size);
        if (outcome.IsOk && _record.Meta.RootOffset + size < size)
            outcome = new(VmoStatus.InvalidArgs, $"the VMO begins {_record.Meta.RootOffset} bytes into its root; with {size} bytes that passes 2^64");
        if (!outcome.IsOk)
            return Decide(change, outcome);
        if (Decided.Count > 0)
            return false;
        _isClosed = true;
        _isRelease = size < _size;
        if (size < _size)
            Clear(new(PageIndex.Of(size), (_size - size) / Limits.PageBytes));
        else if (!TryLay(new(PageIndex.Of(_size), (size - _size) / Limits.PageBytes), null))
            return Decide(change, TooManyRuns);
        // What a frozen layer shows beyond the lowest size is never seen again (semantics, rulings: regrow).
        _low = Math.Min(_low, size / Limits.PageBytes);
        _size = size;
        _contentSize = call.Size;
        return Accept(change);
    }

    private bool AddOpRange(Change change, OpRangeCall call)
    {
        var outcome = Authority.Check(_record.Handles, call.Head.Secret, VmoRights.Write, _now, out var handle);
        var range = call.Range;
        if (outcome.IsOk)
            outcome = call.Op == VmoOp.Zero ? Authority.CheckRange(handle!, range, _size, "zero") : Authority.CutRange(handle!, call.Op, ref range, _size);
        if (outcome.IsOk && call.Op == VmoOp.Decommit)
            outcome = Sizes.CheckAligned(call.Range, _size);
        if (!outcome.IsOk || range.Length == 0)
            return Decide(change, outcome);
        return call.Op switch
        {
            VmoOp.Commit => AddCommit(change, PageRange.Covering(range)),
            VmoOp.Decommit => AddClear(change, PageRange.Covering(range), edges: 0, RunKind.Through),
            _ => AddZero(change, range),
        };
    }

    private bool AddZero(Change change, ByteRange range)
    {
        var covering = PageRange.Covering(range);
        var first = (range.Offset + Limits.PageBytes - 1) / Limits.PageBytes;
        var end = range.End / Limits.PageBytes;
        var whole = first < end ? new PageRange(new(first), end - first) : new(new(first), 0);
        var edges = (int)(covering.Count - whole.Count);
        if ((edges > 0 && !HasBytes(range, change)) || !AddClear(change, whole, edges, RunKind.Zero))
            return false;
        Span<byte> zeros = stackalloc byte[Limits.PageBytes];
        zeros.Clear();
        for (var page = covering.First.Value; page < covering.End.Value; page++)
        {
            if (whole.Contains(new(page)))
            {
                page = whole.End.Value - 1;
                continue;
            }

            var start = page * Limits.PageBytes;
            var from = start < range.Offset ? (int)(range.Offset - start) : 0;
            var to = (int)Math.Min(Limits.PageBytes, range.End - start);
            if (Now(page) is { IsZero: false })
                WritePart(page, from, zeros[..(to - from)], change);
            else if (_sight.IsLive && !IsCommittedNow(page))
                _images[page] = PageImage.Zeros(committed: false);
        }

        return true;
    }

    // Drops what the top layer says of whole pages. Below a root that is all; elsewhere zero keeps a mark, and decommit skips the own stack.
    private bool AddClear(Change change, PageRange pages, int edges, RunKind kind)
    {
        if (pages.Count > SmallRangePages)
        {
            if (Decided.Count > 0)
                return false;
            var leaves = kind == RunKind.Zero ? _sight.HasBelow : _layer.Below.Under != 0;
            if (!TryLay(pages, leaves ? kind : null))
                return Decide(change, TooManyRuns);
            _isClosed = true;
            _isRelease = edges == 0;
            Clear(pages);
            var isLaid = TryLay(pages, leaves ? kind : null);
            Invariant.Holds(isLaid, "runs that could be laid before their range was cleared cannot be laid after");
            return Accept(change);
        }

        if (!Fits(release: edges == 0, edges))
            return false;
        for (var page = pages.First.Value; page < pages.End.Value; page++)
        {
            if (kind == RunKind.Through && _sight.HasBelow)
                _images[page] = IsHidden(page) ? PageImage.Hide : PageImage.Reveal;
            else if (_sight.IsLive || Now(page) is { IsCommitted: true } or { IsZero: false })
                _images[page] = PageImage.Zeros(committed: false);
        }

        return Accept(change);
    }

    private bool AddCommit(Change change, PageRange pages)
    {
        if (pages.Count <= EachPageMax)
            return AddCommitOfEach(change, pages);
        if (_sight.HasBelow)
        {
            return Decide(change, new(VmoStatus.NoMemory,
                $"a commit of {pages.Count} pages of a clone copies what it inherits; at most {EachPageMax} pages at a time"));
        }

        if (Decided.Count > 0)
            return false;
        if (!TryLay(pages, RunKind.Committed))
            return Decide(change, TooManyRuns);
        _isClosed = true;
        _bulk = pages;
        foreach (var (number, leaf) in _layer.Map.LeavesIn(pages))
        {
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                var page = (number * Limits.LeafPages) + (ulong)i;
                if (pages.Contains(new(page)) && leaf[i].State is SlotState.Through or SlotState.Zero)
                    _images[page] = PageImage.Zeros(committed: true);
            }
        }

        return Accept(change);
    }

    private bool AddCommitOfEach(Change change, PageRange pages)
    {
        var copies = new List<(ulong Page, ReadOnlyMemory<byte> Bytes)>();
        for (var page = pages.First.Value; page < pages.End.Value; page++)
        {
            if (Now(page) is { IsCommitted: false, IsZero: false } inherited)
            {
                if (Decided.Count > 0 && !TryBytes(page, inherited, change, out _))
                    return false;
                copies.Add((page, BytesOf(page, inherited, change)));
            }
        }

        if (copies.Count * Limits.PageBytes > Limits.CommitBytesMax)
        {
            return Decide(change, new(VmoStatus.NoMemory,
                $"the commit copies {copies.Count} inherited pages; at most {Limits.CommitBytesMax / Limits.PageBytes} at a time: commit shorter ranges"));
        }

        if (!Fits(release: false, copies.Count) || (pages.Count > SmallRangePages && Decided.Count > 0))
            return false;
        _isClosed = pages.Count > SmallRangePages;
        if (IsTorn)
            return false;
        foreach (var (page, bytes) in copies)
            WriteWhole(page, bytes, own: null, isKept: false);
        for (var page = pages.First.Value; page < pages.End.Value; page++)
        {
            if (!Now(page).IsCommitted)
                _images[page] = PageImage.Zeros(committed: true);
        }

        return Accept(change);
    }

    private bool AddUpkeep(UpkeepChange upkeep)
    {
        if (Decided.Count > 0)
            return false;
        if (upkeep.Layer != _layer.Id)
            return Decide(upkeep, Outcome.Ok);
        _isClosed = true;
        _isRelease = true;
        _rewritten.UnionWith(upkeep.Leaves);
        if (upkeep.DropRuns)
            _runs.RemoveAll(run => run.IsClearing);
        foreach (var (page, from, bytes) in upkeep.Moves)
        {
            if (_layer.Map.Knows(LayerMap.ExtentOf(page)) && _layer.Map.SlotOf(page) == from)
                WriteWhole(page, bytes, own: null, isKept: false);
        }

        return Accept(upkeep);
    }

    // Every slot in the range goes, and what runs lie there. All of its extents are known.
    private void Clear(PageRange pages)
    {
        _bulk = pages;
        // What lies there now may be laid again.
        var fits = _runs.Count < Limits.RunsPerLayerMax;
        _runs = Runs.Without(_runs, pages);
        var leaves = _layer.Map.LeavesIn(pages).ToList();
        if (leaves.Count > LeavesAtOnceMax && fits)
        {
            _runs.Add(new(pages, RunKind.Clearing, Version));
            _clearedByRun = pages;
            return;
        }

        foreach (var (number, leaf) in leaves)
        {
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                var page = (number * Limits.LeafPages) + (ulong)i;
                if (pages.Contains(new(page)) && !leaf[i].IsAbsent)
                    _images[page] = PageImage.Gone;
            }
        }
    }

    // Puts a run of a kind, if any, under the slots of a range, in place of those that lie there, and zeros where nothing below is ever shown. False: there are too many.
    private bool TryLay(PageRange pages, RunKind? kind)
    {
        var before = _runs;
        if (kind is { } laid)
            Lay(pages, laid);
        foreach (var range in kind is RunKind.Zero or RunKind.Committed ? [] : _record.Hidden)
        {
            if (range.Intersect(pages) is { IsEmpty: false } part)
                Lay(part, RunKind.Zero);
        }

        if (_runs.Count <= Limits.RunsPerLayerMax)
            return true;
        _runs = before;
        return false;
    }

    private void Lay(PageRange pages, RunKind kind)
    {
        var runs = Runs.Without(_runs, pages);
        var neighbours = runs.Where(run => run.Kind == kind && (run.Range.End == pages.First || run.Range.First == pages.End)).ToList();
        foreach (var neighbour in neighbours)
        {
            runs.Remove(neighbour);
            var first = Math.Min(pages.First.Value, neighbour.Range.First.Value);
            pages = new(new(first), Math.Max(pages.End.Value, neighbour.Range.End.Value) - first);
        }

        runs.Add(new(pages, kind, Version));
        _runs = runs;
    }

    private static Outcome TooManyRuns { get; } =
        new(VmoStatus.NoMemory, $"the VMO has {Limits.RunsPerLayerMax} long stretches of one state, its most; use fewer, longer ranges");

    /// <summary>The commit; null if nothing is to be stored and the decisions can be told at once.</summary>
    public StoreCommit? Finish(Owner owner)
    {
        var blobs = new List<BlobWrite>();
        SettleImages(blobs);
        SettleBulk();
        FindDead();
        var fields = new List<StoreField>();
        foreach (var number in _leaves.Keys.Concat(_rewritten))
            _layer.Map.Hold(number / Limits.ExtentLeaves);
        foreach (var (number, leaf) in _leaves)
            fields.Add(new(FieldNames.Leaf(number), leaf is null ? Array.Empty<byte>() : LeafCodec.Encode(leaf)));
        foreach (var number in _rewritten)
        {
            if (!_leaves.ContainsKey(number))
                fields.Add(new(FieldNames.Leaf(number), _layer.Map.LeafAt(number) is { } leaf ? LeafCodec.Encode(leaf) : []));
        }

        if (!_runs.SequenceEqual(_layer.Map.Runs))
            fields.Add(new(FieldNames.Runs, Run.Encode(_runs)));
        if (_size != _layer.Size || _contentSize != _layer.ContentSize || _low != _layer.Low)
            fields.Add(new(FieldNames.Size, LayerHead.EncodeSize(_size, _contentSize, _low)));
        if (fields.Count == 0)
            return null;
        fields.Add(new(FieldNames.Count, _counts.Encode()));
        if (_blobs.Count > 0)
            fields.Add(new(FieldNames.Blob, LayerHead.EncodeBlobCounter(_nonce, _nextBlob)));
        fields.Add(new(FieldNames.Garbage, LayerHead.EncodeBlobs([.. _layer.Dead, .. _dead])));
        if (_doubtful.Count > 0 || _layer.IsDoubtfulStale)
        {
            _doubtfulStored = [.. _layer.Doubtful, .. _doubtful];
            fields.Add(new(FieldNames.Doubtful, LayerHead.EncodeBlobs(_doubtfulStored)));
        }

        fields.Add(new(FieldNames.Event, Events.Encode(Version, string.Join(',', _calls.Select(call => $"{call.Key}={call.Value}")))));
        if (_answered.Count > 0)
        {
            _ring = _layer.Ring.Prepare(_answered, _now.UnixMs);
            fields.Add(_ring.Field);
        }

        return new()
        {
            Vmo = _record.Meta.Koid,
            Owner = owner,
            Target = CommitTarget.Layer,
            Layer = _layer.Id,
            Seq = _layer.Seq,
            Fields = fields,
            Blobs = blobs,
            IsRelease = _isRelease == true,
        };
    }

    /// <summary>The commit is durable: what it did is what the VMO is.</summary>
    public void Publish(IPageCache cache)
    {
        var map = _layer.Map;
        _layer.Seq++;
        _layer.IsUntouched = false;
        if (_clearedByRun is { } cleared)
        {
            foreach (var (number, leaf) in map.LeavesIn(cleared).ToList())
            {
                var copy = leaf.Copy();
                for (var i = 0; i < Limits.LeafPages; i++)
                {
                    if (cleared.Contains(new((number * Limits.LeafPages) + (ulong)i)))
                        copy[i] = default;
                }

                map.Put(number, copy);
                _layer.DirtyInStore.Add(number);
            }
        }

        foreach (var (number, leaf) in _leaves)
        {
            map.Put(number, leaf);
            MarkStored(number, leaf is null or { IsEmpty: true });
        }

        foreach (var number in _rewritten)
            MarkStored(number, map.LeafAt(number) is null);
        map.SetRuns(_runs);
        // A count of the whole layer while the commit was in flight has found garbage: that stays found.
        _counts = _counts with { BlobPages = _counts.BlobPages - (_countsBefore.BlobPages - _layer.Counts.BlobPages) };
        (_layer.Size, _layer.ContentSize, _layer.Low, _layer.Counts, _layer.NextBlob) = (_size, _contentSize, _low, _counts, _nextBlob);
        _layer.Dead.AddRange(_dead);
        foreach (var (blob, pages) in _blobs)
            _layer.Uses.Add(blob, pages);
        foreach (var (blob, pages) in _lost)
        {
            // The whole layer was counted while the commit was in flight: only now is it known that this blob died with it.
            if (_layer.Uses.Lose(blob, pages, out var total) && !_dead.Contains(blob))
            {
                _layer.Dead.Add(blob);
                _layer.Counts = _layer.Counts with { BlobPages = _layer.Counts.BlobPages - (ulong)total };
            }
        }

        // Once the layer is counted there is no doubt; what became of these was seen right above.
        if (!_layer.Uses.IsComplete)
            _layer.Doubtful.UnionWith(_doubtful);
        if (_doubtfulStored is { } stored)
            _layer.IsDoubtfulStale = _layer.Uses.IsComplete && stored.Count > 0;
        foreach (var key in _replaced)
            cache.Remove(key);
        foreach (var (key, image) in _stored)
        {
            if (image.IsKept)
                cache.Add(key, image.Own ?? image.Bytes!.Value.ToArray());
        }

        if (_ring is not null)
            _layer.Ring.Publish(_ring);
    }

    private void MarkStored(ulong number, bool isEmpty)
    {
        _layer.DirtyInStore.Remove(number);
        if (isEmpty)
            _layer.Marks.Add(number);
        else
            _layer.Marks.Remove(number);
    }

    // Turns images into slots, pages with bytes into blobs.
    private void SettleImages(List<BlobWrite> blobs)
    {
        var stored = new List<(ulong Page, PageImage Image)>();
        foreach (var (page, image) in _images)
        {
            if (image.Bytes is not null)
                stored.Add((page, image));
            else if (image.IsGone)
                SetSlot(page, default);
            else if (image.IsRevealed)
                SettleRevealed(page);
            else if (image.IsHidden)
                SettleHidden(page);
            else
                SettleZeros(page, image.IsCommitted);
        }

        stored.Sort((left, right) => left.Page.CompareTo(right.Page));
        foreach (var (blob, slots) in BlobLayout.Pack([.. stored.Select(item => (item.Page, item.Image.Bytes!.Value))], () => new(_nonce, _nextBlob++), Version))
        {
            blobs.Add(blob);
            _blobs.Add((blob.Id, slots.Length));
            _counts = _counts with { BlobPages = _counts.BlobPages + (ulong)slots.Length };
            foreach (var (page, slot) in slots)
            {
                _stored.Add((new(_layer.Id, blob.Id, slot.Index), _images[page]));
                SetSlot(page, slot);
            }
        }
    }

    private void SettleZeros(ulong page, bool committed)
    {
        var slot = _layer.Map.SlotOf(page);
        var lying = LyingAt(page);
        if (committed)
        {
            if (slot is { State: SlotState.Data, IsStored: false } || (slot.IsAbsent && lying == RunKind.Committed))
                return;
            SetSlot(page, lying == RunKind.Committed ? default : Slot.CommittedZero(Version));
            return;
        }

        // The least that shows zero: nothing where nothing below says otherwise; over a committed run of a root, through: there is nothing to go through to.
        var wanted = lying switch
        {
            RunKind.Zero => SlotState.Absent,
            RunKind.Committed => _sight.HasBelow ? SlotState.Zero : SlotState.Through,
            RunKind.Through => ShowsZero(page, isThrough: true) ? SlotState.Absent : SlotState.Zero,
            _ => ShowsZero(page, isThrough: false) ? SlotState.Absent : SlotState.Zero,
        };
        if (slot.State != wanted)
            SetSlot(page, wanted switch { SlotState.Absent => default, SlotState.Through => Slot.Through(Version), _ => Slot.Zero(Version) });
    }

    // Decommitted: what lies under the own stack shows again.
    private void SettleRevealed(ulong page)
    {
        var slot = _layer.Map.SlotOf(page);
        var isHidden = LyingAt(page) switch
        {
            RunKind.Through => false,
            RunKind.Clearing => OwnStackSays(page),
            _ => true,
        };
        var wanted = isHidden ? SlotState.Through : SlotState.Absent;
        if (slot.State != wanted)
            SetSlot(page, isHidden ? Slot.Through(Version) : default);
    }

    // Decommitted where nothing of what lies below is to be shown. It is not looked at either.
    private void SettleHidden(ulong page)
    {
        var isLaid = LyingAt(page) == RunKind.Zero;
        if (_layer.Map.SlotOf(page).State != (isLaid ? SlotState.Absent : SlotState.Zero))
            SetSlot(page, isLaid ? default : Slot.Zero(Version));
    }

    private bool IsHidden(ulong page) => _record.Hidden.Any(range => range.Contains(new(page)));

    // Which run lies under the slot of a page; Clearing stands for none.
    private RunKind LyingAt(ulong page)
    {
        return Runs.Lying(_runs, page) ?? RunKind.Clearing;
    }

    private bool ShowsZero(ulong page, bool isThrough)
    {
        // Over a live parent the mark is kept: the parent may write later.
        if (_sight.IsLive)
            return false;
        if (page >= _low || !_sight.HasBelow)
            return true;
        Invariant.Holds(isThrough ? _sight.TrySeeBase(page, out var shown) : _sight.TrySeeBelow(page, out shown), "zeros are laid over what is not known");
        return !shown.IsStored;
    }

    private bool OwnStackSays(ulong page)
    {
        return page < _low && _layer.Below.Under != 0 && _sight.SeeUnder(page) is { IsNothing: false } shown && shown.Layer.Home == _layer.Id.Home && !shown.Layer.IsAbsorbed;
    }

    // What a long range did beside the slots that were set: slots killed by a run, and slots that runs now cover or cover no more.
    private void SettleBulk()
    {
        if (_bulk is not { } range)
            return;
        foreach (var (number, leaf) in _layer.Map.LeavesIn(range))
        {
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                var page = (number * Limits.LeafPages) + (ulong)i;
                var slot = leaf[i];
                if (slot.IsAbsent || !range.Contains(new(page)) || _images.ContainsKey(page))
                    continue;
                Count(page, slot, _clearedByRun is null ? slot : default);
            }
        }
    }

    private void SetSlot(ulong page, Slot slot)
    {
        var number = Leaf.Of(page);
        if (!_leaves.TryGetValue(number, out var leaf) || leaf is null)
        {
            leaf = _layer.Map.LeafAt(number)?.Copy() ?? new();
            _leaves[number] = leaf;
        }

        Count(page, leaf[Leaf.IndexOf(page)], slot);
        leaf[Leaf.IndexOf(page)] = slot;
    }

    private void Count(ulong page, Slot before, Slot after)
    {
        if (before.IsStored && before != after)
        {
            _lost[before.Blob] = _lost.GetValueOrDefault(before.Blob) + 1;
            _replaced.Add(new(_layer.Id, before.Blob, before.Index));
            if (before.BlobPages == 1)
                _lostWhole.Add(before.Blob);
        }

        _counts = _counts with
        {
            Data = _counts.Data + (after.State == SlotState.Data ? 1ul : 0) - (before.State == SlotState.Data ? 1ul : 0),
            Stored = _counts.Stored + (after.IsStored ? 1ul : 0) - (before.IsStored ? 1ul : 0),
            Covered = _counts.Covered + (!after.IsAbsent && IsCovered(page, _runs) ? 1ul : 0) - (!before.IsAbsent && IsCovered(page, _layer.Map.Runs) ? 1ul : 0),
        };
    }

    private void FindDead()
    {
        foreach (var (blob, lost) in _lost)
        {
            var isKnown = _layer.Uses.TryGet(blob, out var total, out var live);
            if ((isKnown && live == lost) || _lostWhole.Contains(blob))
            {
                _dead.Add(blob);
                _counts = _counts with { BlobPages = _counts.BlobPages - (isKnown ? (ulong)total : 1ul) };
            }
            else if (!isKnown && !_layer.Doubtful.Contains(blob))
            {
                _doubtful.Add(blob);
            }
        }
    }

    private PageImage Now(ulong page)
    {
        if (_images.TryGetValue(page, out var image) && !image.IsRevealed && !image.IsGone)
            return image;
        var shown = Shows(page, out var isOwn);
        return shown.IsStored ? new(isOwn, null, null) : PageImage.Zeros(isOwn && shown.Slot.State == SlotState.Data);
    }

    // What a page that has no new bytes in this batch shows, and whether the top layer says so.
    private Shown Shows(ulong page, out bool isOwn)
    {
        isOwn = false;
        if (_images.TryGetValue(page, out var image) && image.IsRevealed)
            return page >= _low && !_sight.IsLive ? default : Looked(_sight.TrySeeBase(page, out var revealed), revealed);
        var slot = _images.ContainsKey(page) ? default : _layer.Map.SlotOf(page);
        var state = slot.State;
        if (slot.IsAbsent)
        {
            switch (LyingAt(page))
            {
                case RunKind.Committed:
                    isOwn = true;
                    return new(_layer.Id, Slot.CommittedZero(Version));
                case RunKind.Zero:
                    return new(_layer.Id, Slot.Zero(Version));
                case RunKind.Through:
                    state = SlotState.Through;
                    break;
            }
        }

        isOwn = state == SlotState.Data;
        if (state is SlotState.Data or SlotState.Zero)
            return new(_layer.Id, slot);
        if (!_sight.HasBelow || (page >= _low && !_sight.IsLive))
            return default;
        var isKnown = state == SlotState.Through ? _sight.TrySeeBase(page, out var shown) : _sight.TrySeeBelow(page, out shown);
        return Looked(isKnown, shown);
    }

    // A view of a live parent may be recalled at any moment; all else was loaded before.
    private Shown Looked(bool isKnown, Shown shown)
    {
        Invariant.Holds(isKnown || _sight.IsLive, "a page is changed before what lies under it is known");
        IsTorn |= !isKnown;
        return shown;
    }

    private bool IsCommittedNow(ulong page)
    {
        if (_images.TryGetValue(page, out var image))
            return image.IsCommitted;
        var slot = _layer.Map.SlotOf(page);
        return slot.State == SlotState.Data || (slot.IsAbsent && LyingAt(page) == RunKind.Committed);
    }

    private bool TryBytes(ulong page, PageImage image, Change change, out ReadOnlyMemory<byte> bytes)
    {
        bytes = default;
        if (image.Bytes is { } given)
        {
            bytes = given;
            return true;
        }

        if (image.IsZero)
            return true;
        var key = Shows(page, out _).Key;
        if (!change.Held.TryGetValue(key, out var held) && !_cache.TryGet(key, out held))
            return false;
        bytes = held;
        return true;
    }

    private ReadOnlyMemory<byte> BytesOf(ulong page, PageImage image, Change change)
    {
        if (TryBytes(page, image, change, out var bytes))
            return bytes;
        // The live parent shows another page than the one that was loaded.
        Invariant.Holds(_sight.IsLive, "a page to be merged was not loaded");
        IsTorn = true;
        return ReadOnlyMemory<byte>.Empty;
    }

    // An earlier change of the batch may have revealed a page whose bytes nobody has loaded yet: then the batch goes first.
    private bool HasBytes(ByteRange range, Change change)
    {
        if (Decided.Count == 0 || !_sight.HasBelow || range.Length == 0)
            return true;
        var pages = PageRange.Covering(range);
        var isFirstWhole = range.Offset % Limits.PageBytes == 0 && range.Length >= Limits.PageBytes;
        return (isFirstWhole || HasBytesOf(pages.First.Value)) && (range.End % Limits.PageBytes == 0 || HasBytesOf(pages.End.Value - 1));

        bool HasBytesOf(ulong page) => TryBytes(page, Now(page), change, out _);
    }

    private bool Fits(bool release, int pages)
    {
        if (_isRelease is { } kind && kind != release)
            return false;
        if (Decided.Count > 0 && (_bytesPages + pages > Limits.CommitBytesMax / Limits.PageBytes || _images.Count + pages > Limits.CommitLeavesMax))
            return false;
        _isRelease = release;
        return true;
    }

    private bool Accept(Change change)
    {
        if (!change.Head.Request.IsNone)
            _answered.Add(new(change.Head.Request, change.Digest, 0));
        _calls[change.Name] = _calls.GetValueOrDefault(change.Name) + 1;
        return Decide(change, Outcome.Ok);
    }

    private bool Decide(Change change, Outcome outcome)
    {
        Decided.Add((change, outcome));
        return true;
    }

    private static bool IsCovered(ulong page, IReadOnlyList<Run> runs)
    {
        for (var i = 0; i < runs.Count; i++)
        {
            if (runs[i].IsCommitted && runs[i].Range.Contains(new(page)))
                return true;
        }

        return false;
    }

    /// <summary>What a page is within the batch. Bytes null and not zero: as stored. Kept: it stays in memory once it is durable.</summary>
    private readonly record struct PageImage(bool IsCommitted, ReadOnlyMemory<byte>? Bytes, byte[]? Own, bool IsZero = false, bool IsKept = false, bool IsRevealed = false, bool IsGone = false, bool IsHidden = false)
    {
        /// <summary>Decommitted: what lies under the own stack shows.</summary>
        public static PageImage Reveal => new(false, null, null, IsRevealed: true);

        /// <summary>Decommitted where nothing below is ever shown.</summary>
        public static PageImage Hide => new(false, null, null, IsZero: true, IsHidden: true);

        /// <summary>The slot is gone, and nothing is put in its place.</summary>
        public static PageImage Gone => new(false, null, null, IsZero: true, IsGone: true);

        public static PageImage Zeros(bool committed) => new(committed, null, null, IsZero: true);
    }
}
