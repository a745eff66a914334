using System.Buffers.Binary;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Record;

/// <summary>Whether a VMO lives.</summary>
public enum VmoState : byte
{
    Alive = 0,

    /// <summary>
    /// The last handle is closed, and no child needs the VMO: its pages are freed, its frozen layers as soon as nobody looks through them.
    /// </summary>
    Dying = 1,

    /// <summary>The last handle is closed, but a live child, a slice or a reference shows its pages.</summary>
    Ghost = 2,
}

/// <summary>
/// A VMO's record in memory: all of it that is not pages. Changed only by publishing a commit of the record.
/// </summary>
public sealed class VmoRecord
{
    public required VmoMeta Meta { get; set; }
    public required LayerId Top { get; set; }
    public required ulong Seq { get; set; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; init; } = [];
    public VmoSignals UserSignals { get; set; }
    public VmoState State { get; set; }
    public uint NextHandle { get; set; } = 1;
    public HandleTable Handles { get; set; } = new();
    public RequestRing Ring { get; init; } = new();

    /// <summary>Whom a live clone names of its live ancestors further up, as a hint.</summary>
    public Lineage Lineage { get; init; } = Lineage.None;

    /// <summary>What a child names of its live ancestors.</summary>
    public Lineage LineageOf(VmoMeta child) => child.Kind == VmoKind.Live && child.ShownVmo == Meta.Koid && Meta.Kind == VmoKind.Live
        ? Lineage.Extended(new Ancestor(new(Meta.ShownVmo, 0), Meta.ShownOffset / Limits.PageBytes), child.ShownOffset / Limits.PageBytes)
        : Lineage.None;

    /// <summary>Its children. Written first on a birth and last on a death, so the living are always among them.</summary>
    public Children Children { get; set; } = Children.None;

    /// <summary>Pages at which it shows nothing of what lies below, whatever is decommitted. It never changes.</summary>
    public IReadOnlyList<PageRange> Hidden { get; init; } = [];

    /// <summary>VMOs elsewhere that look through its frozen layers, by layer number.</summary>
    public Dictionary<uint, KoidSet> Users { get; } = [];

    /// <summary>Users of frozen layers that may come to nothing.</summary>
    public Pins Pins { get; set; } = Pins.None;

    /// <summary>Sessions of silos that may hold grants of this VMO.</summary>
    public HashSet<ulong> Holders { get; set; } = [];

    /// <summary>A clone call that is decided and not done.</summary>
    public BirthIntent? Intent { get; set; }

    /// <summary>The fields a new VMO's record begins with.</summary>
    public static List<StoreField> NewFields(
        VmoMeta meta, string name, IReadOnlyDictionary<string, string> labels, HandleEntry handle, IReadOnlyList<PageRange> hidden, StoreField ring, Lineage lineage)
    {
        var fields = new List<StoreField>
        {
            new(FieldNames.Meta, meta.Encode()),
            new(FieldNames.Name, System.Text.Encoding.UTF8.GetBytes(name)),
            new(FieldNames.Top, Number(1)),
            new(FieldNames.State, new[] { (byte)VmoState.Alive }),
            new(FieldNames.NextHandle, Number(handle.Number + 1)),
            new(FieldNames.Handle(handle.Number), handle.Encode()),
            new(FieldNames.Event, Events.Encode(1, "create")),
            ring,
        };
        if (labels.Count > 0)
            fields.Add(new(FieldNames.Labels, LabelCodec.Encode(labels)));
        if (hidden.Count > 0)
            fields.Add(new(FieldNames.Hidden, EncodeHidden(hidden)));
        if (lineage.Encode() is { Length: > 0 } line)
            fields.Add(new(FieldNames.Lineage, line));
        return fields;
    }

    /// <summary>Reads a stored record. Damage throws <see cref="InvalidDataException"/>.</summary>
    public static VmoRecord Decode(StoredHash stored)
    {
        VmoMeta? meta = null;
        var (name, signals, state, next, top) = ("", VmoSignals.None, VmoState.Alive, 1u, 1u);
        Dictionary<string, string> labels = [];
        var handles = new HandleTable();
        var ring = new RequestRing();
        HashSet<ulong> holders = [];
        var pins = Pins.None;
        PageRange[] hidden = [];
        var lineage = Lineage.None;
        var (children, users, intent) = (Children.None, new Dictionary<uint, KoidSet>(), (BirthIntent?)null);
        foreach (var field in stored.Fields)
        {
            var key = field.Name.Span;
            var value = field.Value.Span;
            if (FieldNames.TryReadNumbered((byte)'h', key, out var number))
            {
                if (HandleEntry.Decode(number, value) is { } entry)
                    handles.Put(entry);
            }
            else if (FieldNames.TryReadNumbered((byte)'q', key, out var slot))
            {
                ring.Load(slot, value);
            }
            else if (FieldNames.TryReadNumbered((byte)'u', key, out var layer))
            {
                if (!value.IsEmpty)
                    users[layer] = DecodeUsers(value);
            }
            else if (key.SequenceEqual(FieldNames.Children.Span))
            {
                children = Children.Decode(value);
            }
            else if (key.SequenceEqual(FieldNames.Holders.Span))
            {
                holders = DecodeHolders(value);
            }
            else if (key.SequenceEqual(FieldNames.Pins.Span))
            {
                pins = Pins.Decode(value);
            }
            else if (key.SequenceEqual(FieldNames.Hidden.Span))
            {
                hidden = DecodeHidden(value);
            }
            else if (key.SequenceEqual(FieldNames.Lineage.Span))
            {
                lineage = Lineage.Hint(value);
            }
            else if (key.SequenceEqual(FieldNames.Intent.Span))
            {
                intent = BirthIntent.Decode(value);
            }
            else if (key.SequenceEqual(FieldNames.Meta.Span))
            {
                meta = VmoMeta.Decode(value);
            }
            else if (key.SequenceEqual(FieldNames.Name.Span))
            {
                name = System.Text.Encoding.UTF8.GetString(value);
            }
            else if (key.SequenceEqual(FieldNames.Labels.Span))
            {
                labels = LabelCodec.Decode(value);
            }
            else if (key.SequenceEqual(FieldNames.Signals.Span))
            {
                signals = (VmoSignals)BinaryPrimitives.ReadUInt32LittleEndian(value);
            }
            else if (key.SequenceEqual(FieldNames.State.Span))
            {
                state = (VmoState)value[0];
            }
            else if (key.SequenceEqual(FieldNames.NextHandle.Span))
            {
                next = BinaryPrimitives.ReadUInt32LittleEndian(value);
            }
            else if (key.SequenceEqual(FieldNames.Top.Span))
            {
                top = BinaryPrimitives.ReadUInt32LittleEndian(value);
            }
        }

        if (meta is null)
            throw new InvalidDataException("a VMO's record has no meta field");
        var record = new VmoRecord
        {
            Meta = meta,
            Top = new(meta.Koid, top),
            Seq = stored.Seq,
            Name = name,
            Labels = labels,
            UserSignals = signals,
            State = state,
            NextHandle = next,
            Handles = handles,
            Ring = ring,
            Children = children,
            Holders = holders,
            Pins = pins,
            Hidden = hidden,
            Lineage = lineage,
            Intent = intent,
        };
        foreach (var (number, set) in users)
            record.Users.Add(number, set);
        return record;
    }

    /// <summary>A set of users as stored.</summary>
    public static byte[] EncodeUsers(KoidSet users)
    {
        if (users.IsEmpty)
            return [];
        var writer = new FieldWriter(32);
        writer.Byte(1);
        users.Encode(writer);
        return writer.ToArray();
    }

    /// <summary>Sessions as stored.</summary>
    public static byte[] EncodeHolders(IReadOnlyCollection<ulong> sessions)
    {
        var writer = new FieldWriter(8 + (8 * sessions.Count));
        writer.Byte(1);
        writer.Varint((ulong)sessions.Count);
        foreach (var session in sessions)
            writer.UInt64(session);
        return writer.ToArray();
    }

    private static HashSet<ulong> DecodeHolders(ReadOnlySpan<byte> value)
    {
        var sessions = new HashSet<ulong>();
        if (value.IsEmpty)
            return sessions;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"a set of holders has format {format}, this is for format 1");
        for (var left = reader.Count(); left > 0; left--)
            sessions.Add(reader.UInt64());
        return sessions;
    }

    private static byte[] EncodeHidden(IReadOnlyList<PageRange> hidden)
    {
        var writer = new FieldWriter(16 * hidden.Count);
        writer.Byte(1);
        writer.Varint((ulong)hidden.Count);
        foreach (var range in hidden)
        {
            writer.Varint(range.First.Value);
            writer.Varint(range.Count);
        }

        return writer.ToArray();
    }

    private static PageRange[] DecodeHidden(ReadOnlySpan<byte> value)
    {
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"the pages a VMO does not show have format {format}, this is for format 1");
        var hidden = new PageRange[reader.Count()];
        for (var i = 0; i < hidden.Length; i++)
            hidden[i] = new(new(reader.Varint()), reader.Varint());
        return hidden;
    }

    private static KoidSet DecodeUsers(ReadOnlySpan<byte> value)
    {
        var reader = new FieldReader(value);
        return reader.Byte() is var format and not 1
            ? throw new InvalidDataException($"a set of users has format {format}, this is for format 1")
            : KoidSet.Decode(ref reader);
    }

    /// <summary>A 32-bit number as stored.</summary>
    public static byte[] Number(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
