using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Record;

/// <summary>What a VMO is from its creation on. Only the parent of a snapshot changes: when that is closed, to the parent of that.</summary>
/// <param name="Koid">Its number.</param>
/// <param name="Kind">How it hangs on its parent.</param>
/// <param name="Parent">None for a root.</param>
/// <param name="Offset">Where in the parent it begins, in bytes.</param>
/// <param name="Options">As created.</param>
/// <param name="Tenant">Whose it is.</param>
/// <param name="CreatedMs">Unix milliseconds.</param>
/// <param name="RootOffset">Where in its root it begins, in bytes: the sum of all offsets on the way, which may not pass 2^64.</param>
/// <param name="Source">Whose pages it shows, if that is not its parent or itself.</param>
/// <param name="Generation">How many VMOs its line counts from the root it was made under to it; that of a child is one more.</param>
/// <param name="ParentGeneration">That of the parent, 0 without one: whoever is nearer to the root has the lower one.</param>
public sealed record VmoMeta(Koid Koid, VmoKind Kind, Koid Parent, ulong Offset, VmoOptions Options, string Tenant, long CreatedMs, ulong RootOffset = 0, PageSource? Source = null, uint Generation = 1, uint ParentGeneration = 0)
{
    public bool IsResizable => (Options & VmoOptions.NonResizable) == 0;

    /// <summary>Whether it has no pages of its own: what is asked of its pages is asked of <see cref="Source"/>.</summary>
    public bool IsAlias => Kind is VmoKind.Slice or VmoKind.Reference;

    /// <summary>The live VMO whose pages show through this one; the parent unless that is an alias.</summary>
    public Koid ShownVmo => Source?.Vmo ?? Parent;

    /// <summary>Where in <see cref="ShownVmo"/> it begins, in bytes.</summary>
    public ulong ShownOffset => Source?.Offset ?? Offset;

    /// <summary>Where in <see cref="ShownVmo"/> that ends, in pages: beyond, nothing shows.</summary>
    public ulong ShownEndPage => Source is { End: not PageSource.Endless } source ? source.End / Limits.PageBytes : ulong.MaxValue;

    public byte[] Encode()
    {
        var writer = new FieldWriter(64);
        writer.Byte(Source is null ? (byte)3 : (byte)4);
        writer.UInt64(Koid.Value);
        writer.Byte((byte)Kind);
        writer.Varint(Parent.Value);
        writer.Varint(Offset);
        writer.Varint((uint)Options);
        writer.Text(Tenant);
        writer.Varint((ulong)CreatedMs);
        writer.Varint(RootOffset);
        writer.Varint(Generation);
        writer.Varint(ParentGeneration);
        if (Source is { } source)
        {
            writer.Varint(source.Vmo.Value);
            writer.Varint(source.Offset);
            writer.Varint(source.End);
            writer.Byte(source.IsResizable ? (byte)1 : (byte)0);
        }

        return writer.ToArray();
    }

    public static VmoMeta Decode(ReadOnlySpan<byte> value)
    {
        var reader = new FieldReader(value);
        var format = reader.Byte();
        if (format is not (3 or 4))
            throw new InvalidDataException($"a VMO's meta field has format {format}, this is for formats 3 and 4");
        var meta = new VmoMeta(
            new(reader.UInt64()), (VmoKind)reader.Byte(), new(reader.Varint()), reader.Varint(), (VmoOptions)reader.Varint(), reader.Text(), (long)reader.Varint(), reader.Varint())
        {
            Generation = checked((uint)reader.Varint()),
            ParentGeneration = checked((uint)reader.Varint()),
        };
        return format == 3 ? meta : meta with { Source = new(new(reader.Varint()), reader.Varint(), reader.Varint(), reader.Byte() == 1) };
    }
}
