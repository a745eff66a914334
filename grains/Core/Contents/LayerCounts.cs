using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Contents;

/// <summary>What a layer knows of itself without looking at its leaves. Changes with each commit, in the same HSET as the slots.</summary>
/// <param name="Data">Slots of state data.</param>
/// <param name="Stored">Those of them with bytes in a blob.</param>
/// <param name="Covered">Slots of any state that lie in a committed run, which the run therefore does not speak for.</param>
/// <param name="BlobPages">Pages of all blobs that stand in the store; above <paramref name="Stored"/> by the dead ones.</param>
public readonly record struct LayerCounts(ulong Data, ulong Stored, ulong Covered, ulong BlobPages)
{
    public byte[] Encode()
    {
        var writer = new FieldWriter(24);
        writer.Byte(1);
        writer.Varint(Data);
        writer.Varint(Stored);
        writer.Varint(Covered);
        writer.Varint(BlobPages);
        return writer.ToArray();
    }

    public static LayerCounts Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return default;
        var reader = new FieldReader(value);
        return reader.Byte() is var format and not 1
            ? throw new InvalidDataException($"the counts of a layer have format {format}, this is for format 1")
            : new(reader.Varint(), reader.Varint(), reader.Varint(), reader.Varint());
    }
}
