using VmoCluster.Core.Encoding;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>One child about to be, decided in all.</summary>
/// <param name="Meta">What it will always be.</param>
/// <param name="Size">Bytes, rounded.</param>
/// <param name="ContentSize">Bytes as asked for.</param>
/// <param name="Name">Its name.</param>
/// <param name="Handle">Its first handle.</param>
/// <param name="Bases">The frozen layers it looks through.</param>
/// <param name="Zero">Pages it must not show.</param>
public sealed record Birth(VmoMeta Meta, ulong Size, ulong ContentSize, string Name, HandleEntry Handle, IReadOnlyList<BaseRef> Bases, IReadOnlyList<PageRange> Zero);

/// <summary>A frozen layer of another VMO that is pinned for children.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Stamp">The pin's.</param>
public readonly record struct PinnedLayer(LayerId Layer, ulong Stamp);

/// <summary>
/// A clone call decided and not yet done: what stands in the parent's record from its first commit to its last. Whoever owns the parent
/// rolls it forward, by the same writes, each only if nothing stands there.
/// </summary>
/// <param name="Freeze">The top layer to be frozen; 0 when it need not be.</param>
/// <param name="NextSeq">The seq at which the layer above it begins: decided here, so that whoever writes it writes the same.</param>
/// <param name="Request">The call.</param>
/// <param name="Births">The children, their koids in a row. None: the top is frozen for those of a descendant.</param>
/// <param name="Pins">Layers of live ancestors that were pinned for them, whose homes are to be told who looks through them.</param>
public sealed record BirthIntent(uint Freeze, ulong NextSeq, RequestId Request, IReadOnlyList<Birth> Births, IReadOnlyList<PinnedLayer> Pins)
{
    public byte[] Encode()
    {
        var writer = new FieldWriter(64 + (128 * Births.Count) + (24 * Pins.Count));
        writer.Byte(Pins.Count == 0 ? (byte)1 : (byte)2);
        writer.Varint(Freeze);
        writer.Varint(NextSeq);
        writer.UInt64(Request.Client);
        writer.UInt64(Request.Sequence);
        if (Pins.Count > 0)
        {
            writer.Varint((ulong)Pins.Count);
            foreach (var pin in Pins)
            {
                writer.Varint(pin.Layer.Home.Value);
                writer.Varint(pin.Layer.Number);
                writer.Varint(pin.Stamp);
            }
        }

        writer.Varint((ulong)Births.Count);
        Birth? before = null;
        foreach (var birth in Births)
        {
            // Children of one call differ in little: what is as in the one before is not said again.
            var isSame = before is not null && before.Size == birth.Size && before.ContentSize == birth.ContentSize && before.Meta with { Koid = birth.Meta.Koid } == birth.Meta
                && before.Bases.SequenceEqual(birth.Bases) && before.Zero.SequenceEqual(birth.Zero);
            writer.Byte(isSame ? (byte)1 : (byte)0);
            writer.Text(birth.Name);
            Bytes(writer, birth.Handle.Encode());
            if (!isSame)
            {
                Bytes(writer, birth.Meta.Encode());
                writer.Varint(birth.Size);
                writer.Varint(birth.ContentSize);
                Below.EncodeBases(writer, birth.Bases);
                writer.Varint((ulong)birth.Zero.Count);
                foreach (var range in birth.Zero)
                {
                    writer.Varint(range.First.Value);
                    writer.Varint(range.Count);
                }
            }

            before = birth;
        }

        return writer.ToArray();
    }

    /// <summary>Reads a stored intent; null for the mark of one that is done.</summary>
    public static BirthIntent? Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return null;
        var reader = new FieldReader(value);
        var format = reader.Byte();
        if (format is not (1 or 2))
            throw new InvalidDataException($"an intent has format {format}, this is for formats 1 and 2");
        var freeze = checked((uint)reader.Varint());
        var nextSeq = reader.Varint();
        var request = new RequestId(reader.UInt64(), reader.UInt64());
        var pins = new PinnedLayer[format == 1 ? 0 : reader.Count()];
        for (var i = 0; i < pins.Length; i++)
            pins[i] = new(new(new(reader.Varint()), checked((uint)reader.Varint())), reader.Varint());
        var births = new Birth[reader.Count()];
        for (var i = 0; i < births.Length; i++)
        {
            var isSame = reader.Byte() == 1;
            var name = reader.Text();
            var handle = HandleEntry.Decode(1, reader.Take(reader.Count()))!;
            if (isSame)
            {
                var before = births[i - 1];
                births[i] = before with { Meta = before.Meta with { Koid = new(before.Meta.Koid.Value + 1) }, Name = name, Handle = handle };
                continue;
            }

            var meta = VmoMeta.Decode(reader.Take(reader.Count()));
            var (size, contentSize) = (reader.Varint(), reader.Varint());
            var bases = Below.DecodeBases(ref reader);
            var zero = new PageRange[reader.Count()];
            for (var k = 0; k < zero.Length; k++)
                zero[k] = new(new(reader.Varint()), reader.Varint());
            births[i] = new(meta, size, contentSize, name, handle, bases, zero);
        }

        return new(freeze, nextSeq, request, births, pins);
    }

    /// <summary>Those of the children that look through a layer.</summary>
    public KoidSet UsersOf(LayerId layer)
    {
        var users = KoidSet.Empty;
        foreach (var birth in Births)
        {
            if (birth.Bases.Any(item => item.Layer == layer))
                users = users.With(birth.Meta.Koid, 1);
        }

        return users;
    }

    private static void Bytes(FieldWriter writer, byte[] bytes)
    {
        writer.Varint((ulong)bytes.Length);
        writer.Bytes(bytes);
    }
}
