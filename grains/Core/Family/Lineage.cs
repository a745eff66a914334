using VmoCluster.Core.Encoding;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>Somebody further down the line: a frozen layer, or a live VMO (layer number 0).</summary>
/// <param name="Layer">Which.</param>
/// <param name="Offset">Page p of whoever names it is page p + this of it.</param>
public readonly record struct Ancestor(LayerId Layer, ulong Offset);

/// <summary>
/// What a frozen layer, or a live clone, names of its ancestors beyond the next one, so that whoever reads through it where nothing is in memory can ask
/// many at once. It names the nearest up to a multiple of 8 in the line, then each eighth up to a multiple of 64, and so on: few bytes, and those
/// who are named name the rest, so that a line of any length is known after as many steps as its length has digits in base 8. It is fixed at birth
/// and only a hint: who is named may be gone, or in the line no more, and nothing is believed but what the walk itself finds.
/// </summary>
public sealed class Lineage
{
    /// <summary>Bytes of the stored form: hashes with longer values take several times the memory in Redis. Who does not fit is named by those that do.</summary>
    public const int BytesMax = 60;

    private const int Base = 8;
    private readonly byte[] _stored;

    private Lineage(int depth, IReadOnlyList<Ancestor> ancestors, byte[] stored) => (Depth, Ancestors, _stored) = (depth, ancestors, stored);

    /// <summary>Nobody but perhaps the next.</summary>
    public static Lineage None { get; } = new(0, [], []);

    /// <summary>Length of the line: its place in it, counted from the far end. 0: not known, 0 or 1.</summary>
    public int Depth { get; }

    /// <summary>The nearest first; the next one, which is named elsewhere, is not among them.</summary>
    public IReadOnlyList<Ancestor> Ancestors { get; }

    /// <summary>Places of <see cref="Ancestors"/> in the line, falling.</summary>
    public IEnumerable<int> Places => PlacesBelow(Depth).Skip(1);

    /// <summary>What one names whose next ancestor is the owner of this lineage.</summary>
    /// <param name="next">The owner's own next ancestor; null: it is the end of the line.</param>
    /// <param name="offset">Where in the owner the new one begins, in pages.</param>
    public Lineage Extended(Ancestor? next, ulong offset)
    {
        if (next is not { } direct)
            return None;
        var depth = Math.Max(Depth, 1);
        if (depth == int.MaxValue)
            return None;
        var named = new List<Ancestor>();
        foreach (var (place, ancestor) in Places.Zip(Ancestors).Prepend((depth - 1, direct)))
        {
            if (IsNamed(place, depth + 1))
                named.Add(ancestor with { Offset = unchecked(ancestor.Offset + offset) });
        }

        return Cut(depth + 1, named);
    }

    /// <summary>What one names that has the same next ancestor as the owner of this lineage, but begins elsewhere.</summary>
    public Lineage Shifted(ulong offset) =>
        offset == 0 || Ancestors.Count == 0 ? this : Cut(Depth, [.. Ancestors.Select(ancestor => ancestor with { Offset = unchecked(ancestor.Offset + offset) })]);

    /// <summary>The stored form; empty: there is nothing to be stored.</summary>
    public byte[] Encode() => _stored;

    /// <summary>Reads a stored lineage. Damage throws <see cref="InvalidDataException"/>.</summary>
    public static Lineage Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return None;
        var reader = new FieldReader(value);
        var format = reader.Byte();
        if (format is not (1 or 2))
            throw new InvalidDataException($"a lineage has format {format}, this is for formats 1 and 2");
        var depth = reader.Varint();
        var (named, last) = (new List<Ancestor>(), default(Ancestor));
        while (!reader.IsAtEnd)
        {
            var step = reader.Varint();
            var home = unchecked(last.Layer.Home.Value - Unzigzag(step >> 1));
            var number = (step & 1) == 0 ? last.Layer.Number : unchecked((uint)(last.Layer.Number - Unzigzag(reader.Varint())));
            last = new(new(new(home), number), format == 1 ? 0 : unchecked(last.Offset + Unzigzag(reader.Varint())));
            named.Add(last);
        }

        return depth is < 2 or > int.MaxValue || PlacesBelow((int)depth).Skip(1).Take(named.Count).Count() < named.Count
            ? throw new InvalidDataException($"a lineage names {named.Count} ancestors in a line of {depth}")
            : new((int)depth, named, value.ToArray());
    }

    /// <summary>Reads a stored lineage where it is only a hint: a damaged one says nothing.</summary>
    public static Lineage Hint(ReadOnlySpan<byte> value)
    {
        try
        {
            return Decode(value);
        }
        catch (InvalidDataException)
        {
            return None;
        }
    }

    private static Lineage Cut(int depth, List<Ancestor> named)
    {
        var format = named.Exists(ancestor => ancestor.Offset != 0) ? (byte)2 : (byte)1;
        var bytes = new List<byte>(BytesMax) { format };
        var writer = new FieldWriter(16);
        writer.Varint((ulong)depth);
        bytes.AddRange(writer.ToArray());
        var (fitting, last) = (0, default(Ancestor));
        foreach (var ancestor in named)
        {
            writer = new(32);
            // Most layers of a line have the same number.
            var isSame = last.Layer.Number == ancestor.Layer.Number;
            writer.Varint(unchecked(Zigzag(last.Layer.Home.Value - ancestor.Layer.Home.Value) << 1) | (isSame ? 0ul : 1));
            if (!isSame)
                writer.Varint(Zigzag(unchecked((ulong)((long)last.Layer.Number - ancestor.Layer.Number))));
            if (format == 2)
                writer.Varint(Zigzag(unchecked(ancestor.Offset - last.Offset)));
            var entry = writer.ToArray();
            if (bytes.Count + entry.Length > BytesMax)
                break;
            bytes.AddRange(entry);
            (fitting, last) = (fitting + 1, ancestor);
        }

        // One that names nobody still knows its place.
        return new(depth, named[..fitting], [.. bytes]);
    }

    // The places that one at a depth names, its next ancestor's first.
    private static IEnumerable<int> PlacesBelow(int depth)
    {
        if (depth < 1)
            yield break;
        long place = depth - 1;
        yield return (int)place;
        for (long step = 1; place > 0; step *= Base)
        {
            for (var end = (depth - 1) / (step * Base) * (step * Base); place > end;)
                yield return (int)(place -= step);
        }
    }

    private static bool IsNamed(int place, int depth)
    {
        for (long step = 1; place % step == 0; step *= Base)
        {
            if (place >= (depth - 1) / (step * Base) * (step * Base))
                return true;
        }

        return false;
    }

    private static ulong Zigzag(ulong value) => unchecked((ulong)(((long)value << 1) ^ ((long)value >> 63)));

    private static ulong Unzigzag(ulong value) => unchecked((value >> 1) ^ (0 - (value & 1)));
}
