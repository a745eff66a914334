using VmoCluster.Core.Encoding;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>A store of one VMO in memory, with the promises of IPageStore and nothing else.</summary>
public sealed class SimStore
{
    private readonly Dictionary<string, byte[]> _record = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> _layer = new(StringComparer.Ordinal);
    private readonly Dictionary<BlobId, byte[]> _blobs = [];

    public Owner Owner { get; private set; }
    public ulong RecordSeq { get; private set; }
    public ulong LayerSeq { get; private set; }
    public bool IsErased { get; private set; }
    public bool IsFull { get; set; }
    public IReadOnlyList<StoreField> Tombstone { get; private set; } = [];
    public IReadOnlyDictionary<BlobId, byte[]> Blobs => _blobs;

    public void Create(Owner owner, IReadOnlyList<StoreField> layer, IReadOnlyList<StoreField> record)
    {
        (Owner, RecordSeq, LayerSeq) = (owner, 1, 1);
        Set(_layer, layer);
        Set(_record, record);
    }

    public void Release(Owner owner, uint leftBy)
    {
        if (owner != Owner)
            return;
        Owner = owner.Released(leftBy);
        if (leftBy == 0)
            Formers.Clear();
    }

    public void TakeOver(Owner next)
    {
        Formers.Add(Owner.Nonce);
        Owner = next;
    }

    /// <summary>Owners before, as a record remembers them.</summary>
    public SimFormers Formers { get; } = new();

    public StoredHash LoadRecord() => new(Owner, RecordSeq, Fields(_record)) { Formers = Formers.ToArray() };

    /// <summary>Blobs whose commit never comes.</summary>
    public void SetBlobs(StoreCommit commit)
    {
        foreach (var blob in commit.Blobs)
            _blobs[blob.Id] = [.. blob.Bytes.SelectMany(piece => piece.ToArray())];
    }

    public StoredHash LoadLayer(IReadOnlyList<ReadOnlyMemory<byte>> names) =>
        new(default, LayerSeq, [.. names.Where(name => _layer.ContainsKey(Key(name))).Select(name => new StoreField(name, _layer[Key(name)]))]);

    public IReadOnlyList<StoreField> ScanLeaves() => [.. Fields(_layer).Where(field => FieldNames.TryReadLeaf(field.Name.Span, out _))];

    public CommitOutcome Commit(StoreCommit commit)
    {
        if (IsErased || commit.Owner != Owner)
            return CommitOutcome.Fenced;
        if (IsFull && !commit.IsRelease)
            return CommitOutcome.Full;
        foreach (var blob in commit.Blobs)
        {
            Assert.False(_blobs.ContainsKey(blob.Id), $"blob {blob.Id} is written twice");
            _blobs[blob.Id] = [.. blob.Bytes.SelectMany(piece => piece.ToArray())];
        }

        if (commit.Seq != (commit.Target == CommitTarget.Layer ? LayerSeq : RecordSeq))
            return CommitOutcome.Stale;
        Set(commit.Target == CommitTarget.Layer ? _layer : _record, commit.Fields);
        Bump(commit.Target);
        return CommitOutcome.Applied;
    }

    public Settlement Settle(Owner owner, CommitTarget target, ulong seq)
    {
        if (owner != Owner)
            return new(CommitOutcome.Fenced);
        var settled = Settlement.Of(target == CommitTarget.Layer ? LayerSeq : RecordSeq, seq);
        if (settled.Outcome != CommitOutcome.Applied)
            return settled;
        if (target == CommitTarget.Layer)
            LayerSeq = settled.Seq;
        else
            RecordSeq = settled.Seq;
        return settled;
    }

    public bool Read(BlobRead read)
    {
        if (!_blobs.TryGetValue(read.Blob, out var bytes) || bytes.Length < read.Offset + read.Destination.Length)
            return false;
        bytes.AsSpan(read.Offset, read.Destination.Length).CopyTo(read.Destination.Span);
        return true;
    }

    public void Unlink(UnlinkBlobs unlink)
    {
        foreach (var blob in unlink.Blobs)
            _blobs.Remove(blob);
        if (unlink.AreFormersDone)
            Formers.Clear();
    }

    public bool RemoveFields(Owner owner, IReadOnlyList<ReadOnlyMemory<byte>> names)
    {
        if (owner != Owner)
            return false;
        foreach (var name in names)
            _layer.Remove(Key(name));
        return true;
    }

    public bool Erase(Owner owner, IReadOnlyList<StoreField> tombstone)
    {
        if (owner != Owner)
            return false;
        (IsErased, Tombstone) = (true, tombstone);
        _layer.Clear();
        _record.Clear();
        return true;
    }

    /// <summary>Flips a bit of a stored page, as a bad disk would.</summary>
    public void Damage(BlobId blob, int offset) => _blobs[blob][offset] ^= 1;

    private void Bump(CommitTarget target)
    {
        if (target == CommitTarget.Layer)
            LayerSeq++;
        else
            RecordSeq++;
    }

    private static void Set(Dictionary<string, byte[]> hash, IReadOnlyList<StoreField> fields)
    {
        foreach (var field in fields)
            hash[Key(field.Name)] = field.Value.ToArray();
    }

    private static List<StoreField> Fields(Dictionary<string, byte[]> hash) =>
        [.. hash.Select(field => new StoreField(System.Text.Encoding.Latin1.GetBytes(field.Key), field.Value))];

    private static string Key(ReadOnlyMemory<byte> name) => System.Text.Encoding.Latin1.GetString(name.Span);
}
