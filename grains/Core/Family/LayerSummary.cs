using System.Buffers.Binary;
using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>A layer as its head tells of it, without its leaves: what the accounts of a family and its checks are made of.</summary>
/// <param name="Id">The layer.</param>
/// <param name="Seq">Its version.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Counts">What it knows of its slots.</param>
/// <param name="Runs">Its runs.</param>
/// <param name="Below">What lies under it.</param>
/// <param name="IsFrozen">Whether it never changes again.</param>
/// <param name="Next">The layer above it in the same stack, once it is frozen; 0 for a top.</param>
public sealed record LayerSummary(LayerId Id, ulong Seq, ulong Size, LayerCounts Counts, IReadOnlyList<Run> Runs, Below Below, bool IsFrozen, uint Next)
{
    /// <summary>The fields to load.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Names { get; } =
        [FieldNames.Size, FieldNames.Runs, FieldNames.Count, FieldNames.Below, FieldNames.Frozen, FieldNames.Next, FieldNames.Blob, FieldNames.Garbage, FieldNames.Doubtful, FieldNames.Folded, FieldNames.Left, FieldNames.Lineage];

    /// <summary>Bytes of pages that stand in blobs of this layer.</summary>
    public ulong StoredBytes => Counts.Stored * Limits.PageBytes;

    /// <summary>Bytes committed, those of committed zeros included.</summary>
    public ulong CommittedBytes
    {
        get
        {
            var pages = Counts.Data - Counts.Covered;
            foreach (var run in Runs)
                pages += run.IsCommitted ? run.Range.Count : 0;
            return pages * Limits.PageBytes;
        }
    }

    /// <summary>Blobs that no slot names any more and that may still stand in the store.</summary>
    public IReadOnlyList<BlobId> Garbage { get; private init; } = [];

    /// <summary>Blobs that perhaps no slot names any more: nobody has counted.</summary>
    public IReadOnlyList<BlobId> Doubtful { get; private init; } = [];

    /// <summary>Who wrote the layer's last blob, and the counter of that activation's next; zero if there was none.</summary>
    public BlobId NextBlob { get; private init; }

    /// <summary>Names of blobs that the last writer may have written ahead of a commit that never came.</summary>
    public IEnumerable<BlobId> WrittenAhead => NextBlob == default ? [] : Enumerable.Range(0, LayerBatch.BlobsMax).Select(i => NextBlob with { Counter = NextBlob.Counter + (uint)i });

    /// <summary>Content size in bytes.</summary>
    public ulong ContentSize { get; private init; }

    /// <summary>Pages from here on see nothing of what lies under the layer.</summary>
    public ulong Low { get; init; }

    /// <summary>Numbers of own layers whose pages stand in this one now, and which are being removed.</summary>
    public IReadOnlyList<uint> Folded { get; init; } = [];

    /// <summary>Its lineage as stored: nothing here depends on that, so nobody fails who cannot read it.</summary>
    public ReadOnlyMemory<byte> StoredLineage { get; private init; }

    /// <summary>The frozen layers it looks through directly: the one under it in its stack; at the bottom of the stack, those of others.</summary>
    public IEnumerable<LayerId> LooksThrough => Below.Under != 0
        ? [new LayerId(Id.Home, Below.Under)]
        : Below.Bases.Select(item => item.Layer).Distinct();

    /// <summary>Of an absorbed layer: the layer it was filled from last, whose home has still to be told; null: it was told.</summary>
    public LayerId? Left { get; init; }

    /// <summary>Reads a stored head. Damage throws <see cref="InvalidDataException"/>.</summary>
    public static LayerSummary Decode(LayerId id, StoredHash stored)
    {
        ReadOnlySpan<byte> Value(ReadOnlyMemory<byte> name)
        {
            foreach (var field in stored.Fields)
            {
                if (field.Name.Span.SequenceEqual(name.Span))
                    return field.Value.Span;
            }

            return default;
        }

        var below = Below.Decode(Value(FieldNames.Below));
        if (below.Under >= id.Number)
            throw new InvalidDataException($"layer {id} lies over layer {below.Under} of its stack, which is no older");
        var (size, contentSize, low) = LayerHead.DecodeSize(Value(FieldNames.Size));
        return new(
            id, stored.Seq, size, LayerCounts.Decode(Value(FieldNames.Count)), Run.Decode(Value(FieldNames.Runs)), below,
            !Value(FieldNames.Frozen).IsEmpty, Value(FieldNames.Next) is { Length: 4 } next ? BinaryPrimitives.ReadUInt32LittleEndian(next) : 0)
        {
            Garbage = LayerHead.DecodeBlobs(Value(FieldNames.Garbage)),
            Doubtful = LayerHead.DecodeBlobs(Value(FieldNames.Doubtful)),
            NextBlob = LayerHead.DecodeBlobCounter(Value(FieldNames.Blob)),
            ContentSize = contentSize,
            Low = low,
            Folded = LayerHead.DecodeNumbers(Value(FieldNames.Folded)),
            Left = LayerHead.DecodeLayer(Value(FieldNames.Left)),
            StoredLineage = Value(FieldNames.Lineage).ToArray(),
        };
    }
}
