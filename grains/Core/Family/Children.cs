using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Family;

/// <summary>A VMO's direct children.</summary>
/// <param name="Snapshots">Those that are isolated: they outlive it and are re-homed.</param>
/// <param name="Followers">Those that show its pages (live, slice, reference): while one lives, it lives.</param>
public sealed record Children(KoidSet Snapshots, KoidSet Followers)
{
    /// <summary>Snapshots that are told themselves when all else of a closed VMO is gone: of more, each would be activated for a record's sake.</summary>
    private const int ReparentedMost = 16;

    public static Children None { get; } = new(KoidSet.Empty, KoidSet.Empty);

    public int Count => Snapshots.Count + Followers.Count;

    /// <summary>Whether they are few enough to be told to whom they report, when the VMO is closed.</summary>
    public bool AreReparented => Snapshots.Count <= ReparentedMost;

    public bool Contains(Koid child) => Snapshots.Contains(child) || Followers.Contains(child);

    public Children With(VmoKind kind, Koid first, int count) => kind == VmoKind.Snapshot
        ? this with { Snapshots = Snapshots.With(first, count) }
        : this with { Followers = Followers.With(first, count) };

    public Children Without(Koid child) => new(Snapshots.Without(child), Followers.Without(child));

    public byte[] Encode()
    {
        if (Count == 0)
            return [];
        var writer = new FieldWriter(32);
        writer.Byte(1);
        Snapshots.Encode(writer);
        Followers.Encode(writer);
        return writer.ToArray();
    }

    public static Children Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return None;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"a set of children has format {format}, this is for format 1");
        var snapshots = KoidSet.Decode(ref reader);
        return new(snapshots, KoidSet.Decode(ref reader));
    }
}
