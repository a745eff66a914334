using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>A store of many VMOs in memory, with the promises of IPageStore and nothing else.</summary>
public sealed class SimStores
{
    private readonly Dictionary<Koid, Slot> _vmos = [];

    public bool IsFull { get; set; }

    /// <summary>What is named of ancestors is wrong in so many of a hundred VMOs; null: in none.</summary>
    public (Random Random, int Percent)? Hints { get; set; }

    /// <summary>Extents from the beginning that are watched for what frozen layers show in them.</summary>
    public ulong ShownExtents { get; set; } = 3;

    /// <summary>Commits that changed a frozen layer without changing what it shows.</summary>
    public int Folds { get; private set; }

    /// <summary>Parts of frozen layers that were loaded to find out what they show, and the rounds that took.</summary>
    public int LayersLoaded { get; private set; }

    public int Rounds { get; private set; }

    /// <summary>Records that stand.</summary>
    public IEnumerable<Koid> Koids => _vmos.Where(vmo => vmo.Value.Record is not null).Select(vmo => vmo.Key);

    /// <summary>Layers that stand.</summary>
    public IEnumerable<LayerId> Layers => _vmos.SelectMany(vmo => vmo.Value.Layers.Keys.Select(number => new LayerId(vmo.Key, number)));

    public bool IsFrozen(LayerId layer) => _vmos[layer.Home].Layers[layer.Number].IsFrozen;

    public int BlobCount => _vmos.Values.Sum(vmo => vmo.Blobs.Count);

    /// <summary>Pages of all blobs that stand.</summary>
    public int BlobPages => _vmos.Values.Sum(vmo => vmo.Blobs.Values.Sum(blob => blob.Length / Limits.PageBytes));

    public bool Create(VmoCreation creation, Owner owner)
    {
        var slot = SlotOf(creation.Koid);
        if (slot.Record is not null || slot.IsTombstone)
            return false;
        slot.Layers[creation.Layer.Number] = new(1, Misled(creation.LayerFields));
        slot.Record = new(1, Misled(creation.RecordFields));
        slot.Owner = owner;
        return true;
    }

    // Ancestors that are none, at whatever offsets.
    private IReadOnlyList<StoreField> Misled(IReadOnlyList<StoreField> fields)
    {
        if (Hints is not var (random, percent) || random.Next(100) >= percent)
            return fields;
        var known = _vmos.Keys.ToArray();
        var line = Lineage.None;
        for (var i = random.Next(2, 12); i > 0; i--)
        {
            var layer = new LayerId(random.Next(8) == 0 ? new(7) : known[random.Next(known.Length)], (uint)random.Next(3));
            line = line.Extended(new Ancestor(layer, (ulong)random.Next(3) * 100), (ulong)random.Next(2) * 300);
        }

        return [.. fields.Where(field => !field.Name.Span.SequenceEqual(FieldNames.Lineage.Span)), new(FieldNames.Lineage, line.Encode())];
    }

    public Owner OwnerOf(Koid koid) => SlotOf(koid).Owner;

    public bool Exists(Koid koid) => SlotOf(koid).Record is not null;

    public void Release(Koid koid, Owner owner, uint leftBy)
    {
        if (OwnerOf(koid) != owner)
            return;
        SlotOf(koid).Owner = owner.Released(leftBy);
        if (leftBy == 0)
            SlotOf(koid).Formers.Clear();
    }

    public void TakeOver(Koid koid, Owner next)
    {
        SlotOf(koid).Formers.Add(SlotOf(koid).Owner.Nonce);
        SlotOf(koid).Owner = next;
    }

    public StoredHash LoadRecord(Koid koid) => SlotOf(koid).Record!.ToHash(SlotOf(koid).Owner) with { Formers = SlotOf(koid).Formers.ToArray() };

    /// <summary>Blobs whose commit never comes. Like those of one that does, they arrive before the VMO is taken over, or never.</summary>
    public CommitOutcome SetBlobsAlone(StoreCommit commit)
    {
        if (!Exists(commit.Vmo) || OwnerOf(commit.Vmo) != commit.Owner)
            return CommitOutcome.Fenced;
        SetBlobs(SlotOf(commit.Vmo), commit);
        return CommitOutcome.Unknown;
    }

    public StoredHash? LoadLayer(LayerId layer, IReadOnlyList<ReadOnlyMemory<byte>> names) =>
        SlotOf(layer.Home).Layers.TryGetValue(layer.Number, out var hash) ? hash.ToHash(default, names) : null;

    public IReadOnlyList<StoreField> Scan(LayerId layer) => SlotOf(layer.Home).Layers.TryGetValue(layer.Number, out var hash)
        ? [.. hash.ToHash(default).Fields.Where(field => field.Name.Span.StartsWith(FieldNames.LeafPrefix.Span))]
        : [];

    /// <summary>Writes over a field of a layer, as a bad disk would.</summary>
    public void Damage(LayerId layer, StoreField field) => SlotOf(layer.Home).Layers[layer.Number].Set([field]);

    public CommitOutcome Commit(StoreCommit commit)
    {
        var slot = SlotOf(commit.Vmo);
        if (slot.Record is null || commit.Owner != slot.Owner)
            return CommitOutcome.Fenced;
        if (IsFull && !commit.IsRelease)
            return CommitOutcome.Full;
        if (commit.IsNew)
        {
            SetBlobs(slot, commit);
            slot.Layers.TryAdd(commit.Layer.Number, new(commit.Seq + 1, commit.Fields));
            return CommitOutcome.Applied;
        }

        var target = commit.Target == CommitTarget.Layer ? slot.Layers.GetValueOrDefault(commit.Layer.Number) : slot.Record;
        if (target is null || commit.Seq != target.Seq)
            return CommitOutcome.Stale;
        SetBlobs(slot, commit);
        var isFold = commit.Target == CommitTarget.Layer && target.IsFrozen;
        Folds += isFold ? 1 : 0;
        if (isFold && !commit.Layer.IsAbsorbed)
            SetUnseen(commit, target);
        else
            target.Set(commit.Fields);
        target.Seq++;
        return CommitOutcome.Applied;
    }

    // Not those of a commit that comes after it was settled, or its VMO taken over: what was sent before arrives before or never
    // (silo/PageStore/DESIGN.md, rule 4).
    private static void SetBlobs(Slot slot, StoreCommit commit)
    {
        foreach (var blob in commit.Blobs)
        {
            Assert.False(slot.Blobs.ContainsKey((commit.Layer.Number, blob.Id)), $"blob {blob.Id} is written twice");
            slot.Blobs[(commit.Layer.Number, blob.Id)] = [.. blob.Bytes.SelectMany(piece => piece.ToArray())];
        }
    }

    // A frozen layer shows the same for ever, whatever is moved into it.
    private void SetUnseen(StoreCommit commit, Hash target)
    {
        var before = ShownBytes(commit.Layer);
        target.Set(commit.Fields);
        var after = ShownBytes(commit.Layer);
        for (var page = 0; page < before.Count; page++)
            Assert.True(before[page].AsSpan().SequenceEqual(after[page]), $"layer {commit.Layer} is frozen and shows something else at page {page}");
    }

    private List<byte[]> ShownBytes(LayerId layer)
    {
        var pages = new List<byte[]>();
        var isLive = Record.VmoRecord.Decode(LoadRecord(layer.Home)).Meta.Kind == VmoKind.Live;
        for (var extent = 0ul; extent < ShownExtents; extent++)
        {
            var shown = Resolve(layer, extent, new());
            for (var page = extent * Limits.ExtentPages; page < (extent + 1) * Limits.ExtentPages; page++)
            {
                var bytes = new byte[shown[page].IsStored ? Limits.PageBytes : 0];
                if (shown[page].IsStored)
                    Assert.True(Read(new(shown[page].Layer, shown[page].Slot.Blob, Contents.BlobLayout.OffsetOf(shown[page].Slot.Index), bytes)), $"page {page} of layer {layer} has lost its blob");
                // Zero and nothing are two things where a live parent would be asked.
                pages.Add(shown[page].IsStored ? bytes : [(byte)(shown[page].IsNothing || !isLive ? 0 : 1)]);
            }
        }

        return pages;
    }

    public Settlement Settle(Koid koid, Owner owner, CommitTarget target, LayerId layer, ulong seq)
    {
        var slot = SlotOf(koid);
        if (slot.Record is null || owner != slot.Owner)
            return new(CommitOutcome.Fenced);
        var hash = target == CommitTarget.Layer ? slot.Layers[layer.Number] : slot.Record;
        var settled = Settlement.Of(hash.Seq, seq);
        if (settled.Outcome == CommitOutcome.Applied)
            hash.Seq = settled.Seq;
        return settled;
    }

    public bool Read(BlobRead read)
    {
        if (!SlotOf(read.Layer.Home).Blobs.TryGetValue((read.Layer.Number, read.Blob), out var bytes) || bytes.Length < read.Offset + read.Destination.Length)
            return false;
        bytes.AsSpan(read.Offset, read.Destination.Length).CopyTo(read.Destination.Span);
        return true;
    }

    public void Unlink(UnlinkBlobs unlink)
    {
        foreach (var blob in unlink.Blobs)
            SlotOf(unlink.Layer.Home).Blobs.Remove((unlink.Layer.Number, blob));
        if (unlink.AreFormersDone)
            SlotOf(unlink.Layer.Home).Formers.Clear();
    }

    public bool RemoveFields(LayerId layer, Owner owner, IReadOnlyList<ReadOnlyMemory<byte>> names)
    {
        var slot = SlotOf(layer.Home);
        if (owner != slot.Owner)
            return false;
        slot.Layers[layer.Number].Remove(names);
        return true;
    }

    public bool Drop(DropLayer drop, Owner owner)
    {
        var slot = SlotOf(drop.Layer.Home);
        if (owner != slot.Owner)
            return false;
        Assert.True(slot.Layers.ContainsKey(drop.Holder.Number), $"layer {drop.Holder}, which named {drop.Layer}, is gone before it");
        slot.Layers[drop.Holder.Number].Set([drop.Field]);
        slot.Layers.Remove(drop.Layer.Number);
        return true;
    }

    public bool Erase(Koid koid, Owner owner, Erase erase)
    {
        var slot = SlotOf(koid);
        if (owner != slot.Owner)
            return false;
        foreach (var layer in erase.Layers)
            slot.Layers.Remove(layer.Number);
        (slot.Record, slot.IsTombstone) = (null, true);
        return true;
    }

    /// <summary>What a frozen layer shows, found out as a silo does.</summary>
    public FrozenExtent Resolve(LayerId layer, ulong extent, SimMaps maps)
    {
        var fetch = new FrozenFetch(layer, extent, maps);
        while (fetch.Next() is { Count: > 0 } round)
        {
            LayersLoaded += round.Count;
            var found = round.Select(part => LoadLayer(part.Layer, FrozenPart.NamesOf(part.Extent))).ToList();
            Assert.True(fetch.TryTake(found, out var lost), $"layer {lost} is looked through and is not there");
        }

        Rounds += fetch.Rounds;
        var shown = fetch.Compose();
        maps.Put(layer, extent, shown);
        return shown;
    }

    private Slot SlotOf(Koid koid)
    {
        if (!_vmos.TryGetValue(koid, out var slot))
            _vmos.Add(koid, slot = new());
        return slot;
    }

    private sealed class Slot
    {
        public Owner Owner { get; set; }
        public SimFormers Formers { get; } = new();
        public Hash? Record { get; set; }
        public bool IsTombstone { get; set; }
        public Dictionary<uint, Hash> Layers { get; } = [];
        public Dictionary<(uint Layer, BlobId Blob), byte[]> Blobs { get; } = [];
    }

    private sealed class Hash
    {
        private readonly Dictionary<string, byte[]> _fields = new(StringComparer.Ordinal);

        public Hash(ulong seq, IReadOnlyList<StoreField> fields)
        {
            Seq = seq;
            Set(fields);
        }

        public ulong Seq { get; set; }

        public bool IsFrozen => _fields.ContainsKey("frozen");

        public void Set(IReadOnlyList<StoreField> fields)
        {
            foreach (var field in fields)
                _fields[Key(field.Name)] = field.Value.ToArray();
        }

        public void Remove(IReadOnlyList<ReadOnlyMemory<byte>> names)
        {
            foreach (var name in names)
                _fields.Remove(Key(name));
        }

        public StoredHash ToHash(Owner owner) =>
            new(owner, Seq, [.. _fields.Select(field => new StoreField(System.Text.Encoding.Latin1.GetBytes(field.Key), field.Value))]);

        public StoredHash ToHash(Owner owner, IReadOnlyList<ReadOnlyMemory<byte>> names) =>
            new(owner, Seq, [.. names.Where(name => _fields.ContainsKey(Key(name))).Select(name => new StoreField(name, _fields[Key(name)]))]);

        private static string Key(ReadOnlyMemory<byte> name) => System.Text.Encoding.Latin1.GetString(name.Span);
    }
}
