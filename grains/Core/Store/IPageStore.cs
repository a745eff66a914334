namespace VmoCluster.Core.Store;

/// <summary>
/// What the shell asks of a store of pages. A VMO's record, its layers and their blobs share one hash slot. Every method may throw
/// <see cref="StoreException"/>: the store did not answer, or refused; commits and settlings say so by their outcome instead.
/// Times are bounded by the store's own timeouts (1 s for one round trip).
/// </summary>
public interface IPageStore
{
    /// <summary>Takes a block of koids that nobody has had. At least 1.</summary>
    ValueTask<Koid> AllocateKoidsAsync(int count, CancellationToken cancellation);

    /// <summary>
    /// Binds a creation's request id to a koid for <see cref="Limits.RequestKeepMs"/>: the first proposal stands, and every repeat is told it.
    /// </summary>
    ValueTask<Koid> BindRequestAsync(RequestId request, Koid proposed, CancellationToken cancellation);

    /// <summary>
    /// Brings a VMO into being, only if there is neither record nor tombstone: the layer's fields, then the record's with its owner.
    /// Both begin at seq 1. False: something stands there already. Promised: a parent's record says that it will be, so it is written also when
    /// the store is nearly full.
    /// </summary>
    ValueTask<bool> CreateAsync(
        Koid vmo, Owner owner, LayerId layer, IReadOnlyList<StoreField> layerFields, IReadOnlyList<StoreField> recordFields, bool isPromised,
        CancellationToken cancellation);

    /// <summary>The whole record, or its tombstone.</summary>
    ValueTask<RecordLoad> LoadRecordAsync(Koid vmo, CancellationToken cancellation);

    /// <summary>A layer's seq and these of its fields; null if there is no such layer.</summary>
    ValueTask<StoredHash?> LoadLayerAsync(LayerId layer, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation);

    /// <summary>How many fields a layer has.</summary>
    ValueTask<long> CountFieldsAsync(LayerId layer, CancellationToken cancellation);

    /// <summary>
    /// All fields of a layer whose names begin with a prefix, without <c>seq</c> and <c>layout</c>, in any order, in portions. A field may
    /// come twice, and one changed meanwhile in either state.
    /// </summary>
    IAsyncEnumerable<IReadOnlyList<StoreField>> ScanLayerAsync(LayerId layer, ReadOnlyMemory<byte> prefix, CancellationToken cancellation);

    /// <summary>
    /// Compares the record's owner and puts the next one in its place, in one script. A repeat finds itself there.
    /// </summary>
    /// <param name="vmo">The VMO.</param>
    /// <param name="expected">Who owns it, as far as is known.</param>
    /// <param name="next">Who is to own it.</param>
    /// <param name="leftBy">As for <see cref="Owner.Released"/>: remembered with the owners before (<see cref="StoredHash.Formers"/>).</param>
    /// <param name="cancellation">Ends the waiting.</param>
    ValueTask<TakeOver> TakeOverAsync(Koid vmo, Owner expected, Owner next, uint leftBy, CancellationToken cancellation);

    /// <summary>Gives a VMO up, if it is still this owner's. Where nothing is left of it, no owner before is remembered any more.</summary>
    /// <param name="vmo">The VMO.</param>
    /// <param name="owner">Who owns it.</param>
    /// <param name="leftBy">As for <see cref="Owner.Released"/>.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    ValueTask ReleaseAsync(Koid vmo, Owner owner, uint leftBy, CancellationToken cancellation);

    /// <summary>
    /// One commit. Never throws for the store's state: see <see cref="CommitOutcome"/>. Its blobs are sent once and never again under the same names:
    /// those of a commit that is refused as fenced or stale are unlinked.
    /// </summary>
    ValueTask<CommitOutcome> CommitAsync(StoreCommit commit);

    /// <summary>
    /// Settles the commit that expects this seq, whose outcome is unknown: compares the owner, and moves seq on by two where the commit has not.
    /// A repeat, because an answer was lost, is answered the same.
    /// </summary>
    ValueTask<Settlement> SettleAsync(Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seq);

    /// <summary>
    /// Comes back when nothing arrives any more of what this process sent for the VMO before, answered or not: it is done, or gone. So whoever takes the VMO over
    /// from it may unlink what it could have written. Throws <see cref="StoreException"/> where that is not known.
    /// </summary>
    ValueTask FinishWritesAsync(Koid vmo, CancellationToken cancellation);

    /// <summary>
    /// Reads bytes of blobs into their destinations, several in flight. False at an index: that blob is not there (or too short).
    /// </summary>
    ValueTask<bool[]> ReadBlobsAsync(IReadOnlyList<BlobRead> reads, CancellationToken cancellation);

    /// <summary>
    /// Unlinks blobs that no slot names. Missing ones do not matter. Returns how many were there. Throws, and unlinks no more, when the fence does not hold.
    /// </summary>
    /// <param name="fence">What the owner has seen.</param>
    /// <param name="layer">Whose blobs.</param>
    /// <param name="blobs">Their names.</param>
    /// <param name="areFormersDone">With them all is gone that owners before may have left: they need not be remembered any more.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    ValueTask<long> UnlinkBlobsAsync(StoreFence fence, LayerId layer, IReadOnlyList<BlobId> blobs, bool areFormersDone, CancellationToken cancellation);

    /// <summary>
    /// Removes marks: fields whose absence means the same. Fenced by the owner and the target's seq, which must be this or later. False: it is not.
    /// </summary>
    ValueTask<bool> RemoveFieldsAsync(
        Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seqLeast, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation);

    /// <summary>
    /// Removes a frozen layer whose blobs are gone, and sets the field of another layer of the same VMO that named it. Fenced. False: another owner.
    /// </summary>
    ValueTask<bool> DropLayerAsync(Koid vmo, Owner owner, LayerId layer, LayerId holder, StoreField field, CancellationToken cancellation);

    /// <summary>
    /// The last step of a VMO's end: writes the tombstone, then unlinks the layers, then the record, fenced. The layers' blobs are gone before.
    /// </summary>
    ValueTask<bool> EraseAsync(
        Koid vmo, Owner owner, IReadOnlyList<LayerId> layers, IReadOnlyList<StoreField> tombstone, CancellationToken cancellation);

    /// <summary>Koids of all VMOs above one, rising, in portions, for the operator's list. Dying ones may be among them.</summary>
    IAsyncEnumerable<IReadOnlyList<Koid>> ScanVmosAsync(Koid after, CancellationToken cancellation);

    /// <summary>
    /// A portion of the keys of layers and blobs of all VMOs, for a scrub: every key that stands there from the walk's beginning to its end comes at
    /// least once. A walk looks at every key of the store.
    /// </summary>
    ValueTask<KeyPortion> ListKeysAsync(KeyPlace place, CancellationToken cancellation);
}
