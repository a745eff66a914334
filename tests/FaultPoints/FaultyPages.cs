using VmoCluster.Core.Encoding;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.FaultPoints;

/// <summary>The store of pages: each change of it is a place before and a place after.</summary>
internal sealed class FaultyPages(IPageStore store) : IPageStore
{
    public async ValueTask<bool> CreateAsync(
        Koid vmo, Owner owner, LayerId layer, IReadOnlyList<StoreField> layerFields, IReadOnlyList<StoreField> recordFields, bool isPromised, CancellationToken cancellation)
    {
        var name = isPromised ? "child" : "create";
        FaultPoint.Pass(name + ".before");
        var done = await store.CreateAsync(vmo, owner, layer, layerFields, recordFields, isPromised, cancellation);
        FaultPoint.Pass(name + ".after");
        return done;
    }

    public async ValueTask<TakeOver> TakeOverAsync(Koid vmo, Owner expected, Owner next, uint leftBy, CancellationToken cancellation)
    {
        FaultPoint.Pass("acquire.before");
        var taken = await store.TakeOverAsync(vmo, expected, next, leftBy, cancellation);
        FaultPoint.Pass("acquire.after");
        return taken;
    }

    public async ValueTask ReleaseAsync(Koid vmo, Owner owner, uint leftBy, CancellationToken cancellation)
    {
        FaultPoint.Pass("release.before");
        await store.ReleaseAsync(vmo, owner, leftBy, cancellation);
        FaultPoint.Pass("release.after");
    }

    public async ValueTask<CommitOutcome> CommitAsync(StoreCommit commit)
    {
        var name = NameOf(commit);
        FaultPoint.Pass(name + ".before");
        var sent = store.CommitAsync(commit);
        FaultPoint.Pass(name + ".sent");
        var outcome = await sent;
        FaultPoint.Pass(name + ".after");
        return outcome;
    }

    public async ValueTask<long> UnlinkBlobsAsync(StoreFence fence, LayerId layer, IReadOnlyList<BlobId> blobs, bool areFormersDone, CancellationToken cancellation)
    {
        FaultPoint.Pass("unlink.before");
        var count = await store.UnlinkBlobsAsync(fence, layer, blobs, areFormersDone, cancellation);
        FaultPoint.Pass("unlink.after");
        return count;
    }

    public async ValueTask<bool> DropLayerAsync(Koid vmo, Owner owner, LayerId layer, LayerId top, StoreField below, CancellationToken cancellation)
    {
        FaultPoint.Pass("drop.before");
        var done = await store.DropLayerAsync(vmo, owner, layer, top, below, cancellation);
        FaultPoint.Pass("drop.after");
        return done;
    }

    public async ValueTask<bool> EraseAsync(Koid vmo, Owner owner, IReadOnlyList<LayerId> layers, IReadOnlyList<StoreField> tombstone, CancellationToken cancellation)
    {
        FaultPoint.Pass("erase.before");
        var done = await store.EraseAsync(vmo, owner, layers, tombstone, cancellation);
        FaultPoint.Pass("erase.after");
        return done;
    }

    public ValueTask<Koid> AllocateKoidsAsync(int count, CancellationToken cancellation) => store.AllocateKoidsAsync(count, cancellation);

    public ValueTask<Koid> BindRequestAsync(RequestId request, Koid proposed, CancellationToken cancellation) =>
        store.BindRequestAsync(request, proposed, cancellation);

    public ValueTask<RecordLoad> LoadRecordAsync(Koid vmo, CancellationToken cancellation) => store.LoadRecordAsync(vmo, cancellation);

    public ValueTask<StoredHash?> LoadLayerAsync(LayerId layer, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation) =>
        store.LoadLayerAsync(layer, names, cancellation);

    public ValueTask<long> CountFieldsAsync(LayerId layer, CancellationToken cancellation) => store.CountFieldsAsync(layer, cancellation);

    public IAsyncEnumerable<IReadOnlyList<StoreField>> ScanLayerAsync(LayerId layer, ReadOnlyMemory<byte> prefix, CancellationToken cancellation) =>
        store.ScanLayerAsync(layer, prefix, cancellation);

    public ValueTask<Settlement> SettleAsync(Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seq) => store.SettleAsync(vmo, owner, target, layer, seq);

    public ValueTask FinishWritesAsync(Koid vmo, CancellationToken cancellation) => store.FinishWritesAsync(vmo, cancellation);

    public ValueTask<bool[]> ReadBlobsAsync(IReadOnlyList<BlobRead> reads, CancellationToken cancellation) => store.ReadBlobsAsync(reads, cancellation);

    public ValueTask<bool> RemoveFieldsAsync(Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seqLeast, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation) =>
        store.RemoveFieldsAsync(vmo, owner, target, layer, seqLeast, names, cancellation);

    public IAsyncEnumerable<IReadOnlyList<Koid>> ScanVmosAsync(Koid after, CancellationToken cancellation) => store.ScanVmosAsync(after, cancellation);

    public ValueTask<KeyPortion> ListKeysAsync(KeyPlace place, CancellationToken cancellation) => store.ListKeysAsync(place, cancellation);

    // A clone is clone (decided), top and freeze (a snapshot's instant), children, cloned (struck off).
    private static string NameOf(StoreCommit commit)
    {
        if (commit.Target == CommitTarget.Layer)
            return NameOfLayers(commit);
        if (Find(commit, FieldNames.Intent) is { } intent)
            return intent.Length > 0 ? "commit.clone" : "commit.cloned";
        if (Find(commit, FieldNames.State) is { Length: 1 } state)
            return state.Span[0] == (byte)VmoState.Ghost ? "commit.ghost" : "commit.dying";
        return Find(commit, FieldNames.Children) is not null ? "commit.kin" : Find(commit, FieldNames.Holders) is not null ? "commit.hold" : "commit.handle";
    }

    // A fold is fold (what was left over is listed; pages are copied) and past (it looks past what it was filled from). Taking over what a closed VMO holds is
    // absorb (the layer is made), turn (others look through it), fold, past, and told (the closed one knows).
    private static string NameOfLayers(StoreCommit commit)
    {
        if (commit.IsNew)
            return commit.Layer.IsAbsorbed ? "commit.absorb" : "commit.top";
        if (Find(commit, FieldNames.Frozen) is not null)
            return "commit.freeze";
        if (Find(commit, FieldNames.Left) is { Length: 0 })
            return "commit.told";
        if (Find(commit, FieldNames.Folded) is not null || Find(commit, FieldNames.Left) is not null)
            return "commit.past";
        return Event(commit, "fold=1"u8) ? "commit.fold" : Event(commit, "absorb=1"u8) ? "commit.turn" : "commit.write";
    }

    private static bool Event(StoreCommit commit, ReadOnlySpan<byte> what) => Find(commit, FieldNames.Event) is { } said && said.Span.IndexOf(what) >= 0;

    private static ReadOnlyMemory<byte>? Find(StoreCommit commit, ReadOnlyMemory<byte> name)
    {
        foreach (var field in commit.Fields)
        {
            if (field.Name.Span.SequenceEqual(name.Span))
                return field.Value;
        }

        return null;
    }
}
