using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Family;

/// <summary>Users of a frozen layer of whom it is not known for sure that they look through it.</summary>
/// <param name="Layer">The layer's number.</param>
/// <param name="Users">Who; each of them is among the layer's users.</param>
/// <param name="Asker">Who knows what comes of it.</param>
/// <param name="Stamp">The asker's: the epoch of its owner, then a count.</param>
public sealed record PinEntry(uint Layer, KoidSet Users, Koid Asker, ulong Stamp)
{
    /// <summary>Bits of a stamp that count.</summary>
    public const int StampBits = 24;

    /// <summary>Names the entry: no two of a VMO have the same.</summary>
    public (uint Layer, Koid Asker, ulong Stamp) Key => (Layer, Asker, Stamp);

    /// <summary>The stamp that an owner gives as its nth.</summary>
    public static ulong StampOf(ulong epoch, uint count)
    {
        Invariant.Holds(count < 1u << StampBits && epoch < 1ul << (64 - StampBits), $"{count} pins were asked for in epoch {epoch}");
        return (epoch << StampBits) | count;
    }
}

/// <summary>
/// The pins of a VMO's frozen layers. A user of a layer that is in none of them looks through it for sure. Never changed; each change makes a
/// new one.
/// </summary>
public sealed class Pins
{
    private Pins(IReadOnlyList<PinEntry> entries) => Entries = entries;

    public static Pins None { get; } = new([]);

    public IReadOnlyList<PinEntry> Entries { get; }

    public bool IsEmpty => Entries.Count == 0;

    public static Pins Of(IEnumerable<PinEntry> entries) => entries.Where(entry => !entry.Users.IsEmpty).ToArray() is { Length: > 0 } some ? new(some) : None;

    /// <summary>Users of a layer that are not sure.</summary>
    public KoidSet UsersOf(uint layer)
    {
        var users = KoidSet.Empty;
        foreach (var entry in Entries)
        {
            if (entry.Layer == layer)
                users = users.With(entry.Users);
        }

        return users;
    }

    public byte[] Encode()
    {
        if (IsEmpty)
            return [];
        var writer = new FieldWriter(8 + (32 * Entries.Count));
        writer.Byte(1);
        writer.Varint((ulong)Entries.Count);
        foreach (var entry in Entries)
        {
            writer.Varint(entry.Layer);
            entry.Users.Encode(writer);
            writer.Varint(entry.Asker.Value);
            writer.Varint(entry.Stamp);
        }

        return writer.ToArray();
    }

    public static Pins Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return None;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"the pins have format {format}, this is for format 1");
        var entries = new PinEntry[reader.Count()];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = new(checked((uint)reader.Varint()), KoidSet.Decode(ref reader), new(reader.Varint()), reader.Varint());
        return new(entries);
    }
}
