using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Family;

/// <summary>
/// What lies under a layer: the frozen layer under it in the same VMO's stack, and the windows under that stack, searched in order. Every
/// layer of a stack names the windows, so that a page that goes <c>through</c> need not walk down to the stack's bottom.
/// </summary>
/// <param name="Under">Number of the own frozen layer under this one; 0 for none.</param>
/// <param name="Bases">The windows under the own stack.</param>
public sealed record Below(uint Under, IReadOnlyList<BaseRef> Bases)
{
    public static Below Nothing { get; } = new(0, []);

    public bool IsNothing => Under == 0 && Bases.Count == 0;

    /// <summary>The first to be asked by a layer of this home that says nothing of a page; null: nobody.</summary>
    public Ancestor? NextOf(Koid home) =>
        Under != 0 ? new Ancestor(new(home, Under), 0) : Bases is [var first, ..] ? new Ancestor(first.Layer, first.Offset) : null;

    public byte[] Encode()
    {
        var writer = new FieldWriter(16 + (24 * Bases.Count));
        writer.Byte(1);
        writer.Varint(Under);
        EncodeBases(writer, Bases);
        return writer.ToArray();
    }

    public static Below Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return Nothing;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"what lies under a layer has format {format}, this is for format 1");
        var under = checked((uint)reader.Varint());
        return new(under, DecodeBases(ref reader));
    }

    internal static void EncodeBases(FieldWriter writer, IReadOnlyList<BaseRef> bases)
    {
        writer.Varint((ulong)bases.Count);
        foreach (var item in bases)
        {
            writer.Varint(item.Layer.Home.Value);
            writer.Varint(item.Layer.Number);
            writer.Varint(item.Offset);
            writer.Varint(item.Limit);
        }
    }

    internal static BaseRef[] DecodeBases(ref FieldReader reader)
    {
        var bases = new BaseRef[reader.Count()];
        for (var i = 0; i < bases.Length; i++)
            bases[i] = new(new(new(reader.Varint()), checked((uint)reader.Varint())), reader.Varint(), reader.Varint());
        return bases;
    }

    /// <inheritdoc/>
    public bool Equals(Below? other) => other is not null && Under == other.Under && Bases.SequenceEqual(other.Bases);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Under, Bases.Count);
}
