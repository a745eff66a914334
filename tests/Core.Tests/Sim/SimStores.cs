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

    /// <summary>Records that stand.</summary>
    public IEnumerable<Koid> Koids => _vmos.Where(vmo => vmo.Value.Record is not null).Select(vmo => vmo.Key);

    /// <summary>Layers that stand.</summary>
    public IEnumerable<LayerId> Layers => _vmos.SelectMany(vmo => vmo.Value.Layers.Keys.Select(number => new LayerId(vmo.Key, number)));

    public int BlobCount => _vmos.Values.Sum(vmo => vmo.Blobs.Count);

    public bool Create(VmoCreation creation, Owner owner)
    {
        var slot = SlotOf(creation.Koid);
        if (slot.Record is not null || slot.IsTombstone)
            return false;
        slot.Layers[creation.Layer.Number] = new(1, creation.LayerFields);
        slot.Record = new(1, creation.RecordFields);
        slot.Owner = owner;
        return true;
    }

    public Owner OwnerOf(Koid koid) => SlotOf(koid).Owner;

    public bool Exists(Koid koid) => SlotOf(koid).Record is not null;

    public void TakeOver(Koid koid, Owner next) => SlotOf(koid).Owner = next;

    public StoredHash LoadRecord(Koid koid) => SlotOf(koid).Record!.ToHash(SlotOf(koid).Owner);

    public StoredHash? LoadLayer(LayerId layer, IReadOnlyList<ReadOnlyMemory<byte>> names) =>
        SlotOf(layer.Home).Layers.TryGetValue(layer.Number, out var hash) ? hash.ToHash(default, names) : null;

    public IReadOnlyList<StoreField> Scan(LayerId layer) => SlotOf(layer.Home).Layers.TryGetValue(layer.Number, out var hash)
        ? [.. hash.ToHash(default).Fields.Where(field => FieldNames.TryReadLeaf(field.Name.Span, out _))]
        : [];

    public CommitOutcome Commit(StoreCommit commit)
    {
        var slot = SlotOf(commit.Vmo);
        if (slot.Record is null || commit.Owner != slot.Owner)
            return CommitOutcome.Fenced;
        if (IsFull && !commit.IsRelease)
            return CommitOutcome.Full;
        foreach (var blob in commit.Blobs)
        {
            Assert.False(slot.Blobs.ContainsKey((commit.Layer.Number, blob.Id)), $"blob {blob.Id} is written twice");
            slot.Blobs[(commit.Layer.Number, blob.Id)] = [.. blob.Bytes.SelectMany(piece => piece.ToArray())];
        }

        if (commit.IsNew)
        {
            slot.Layers.TryAdd(commit.Layer.Number, new(commit.Seq + 1, commit.Fields));
            return CommitOutcome.Applied;
        }

        var target = commit.Target == CommitTarget.Layer ? slot.Layers.GetValueOrDefault(commit.Layer.Number) : slot.Record;
        if (target is null || commit.Seq != target.Seq)
            return CommitOutcome.Stale;
        Assert.False(commit.Target == CommitTarget.Layer && target.IsFrozen, $"layer {commit.Layer} is frozen and was changed");
        target.Set(commit.Fields);
        target.Seq++;
        return CommitOutcome.Applied;
    }

    public Settlement Settle(Koid koid, Owner owner, CommitTarget target, LayerId layer)
    {
        var slot = SlotOf(koid);
        if (slot.Record is null || owner != slot.Owner)
            return new(CommitOutcome.Fenced, 0);
        var hash = target == CommitTarget.Layer ? slot.Layers[layer.Number] : slot.Record;
        return new(CommitOutcome.Applied, hash.Seq++);
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
        slot.Layers[drop.Top.Number].Set([new(FieldNames.Below, drop.Below.Encode())]);
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
        var walk = new FrozenWalk(layer, extent);
        while (walk.Needs.Count > 0)
        {
            var found = new List<(FrozenPart?, FrozenExtent?)>();
            foreach (var need in walk.Needs)
            {
                if (maps.TryGet(need.Layer, need.Extent, out var known))
                {
                    found.Add((null, known));
                    continue;
                }

                var stored = LoadLayer(need.Layer, FrozenPart.NamesOf(need.Extent));
                Assert.True(stored is not null, $"layer {need.Layer} is looked through and is not there");
                found.Add((FrozenPart.Decode(need.Layer, need.Extent, stored), null));
            }

            walk.Take(found);
        }

        var shown = walk.Compose();
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
