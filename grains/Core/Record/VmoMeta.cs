using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Record;

/// <summary>What a VMO is from its creation on and never changes.</summary>
/// <param name="Koid">Its number.</param>
/// <param name="Kind">How it hangs on its parent.</param>
/// <param name="Parent">None for a root.</param>
/// <param name="Offset">Where in the parent it begins, in bytes.</param>
/// <param name="Options">As created.</param>
/// <param name="Tenant">Whose it is.</param>
/// <param name="CreatedMs">Unix milliseconds.</param>
/// <param name="RootOffset">Where in its root it begins, in bytes: the sum of all offsets on the way, which may not pass 2^64.</param>
public sealed record VmoMeta(Koid Koid, VmoKind Kind, Koid Parent, ulong Offset, VmoOptions Options, string Tenant, long CreatedMs, ulong RootOffset = 0)
{
    public bool IsResizable => (Options & VmoOptions.NonResizable) == 0;

    public byte[] Encode()
    {
        var writer = new FieldWriter(64);
        writer.Byte(1);
        writer.UInt64(Koid.Value);
        writer.Byte((byte)Kind);
        writer.Varint(Parent.Value);
        writer.Varint(Offset);
        writer.Varint((uint)Options);
        writer.Text(Tenant);
        writer.Varint((ulong)CreatedMs);
        writer.Varint(RootOffset);
        return writer.ToArray();
    }

    public static VmoMeta Decode(ReadOnlySpan<byte> value)
    {
        var reader = new FieldReader(value);
        return reader.Byte() is var format and not 1
            ? throw new InvalidDataException($"a VMO's meta field has format {format}, this is for format 1")
            : new(new(reader.UInt64()), (VmoKind)reader.Byte(), new(reader.Varint()), reader.Varint(), (VmoOptions)reader.Varint(), reader.Text(), (long)reader.Varint(), reader.Varint());
    }
}
