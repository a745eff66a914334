using System.Buffers.Binary;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Record;

/// <summary>Whether a VMO lives.</summary>
public enum VmoState : byte
{
    Alive = 0,

    /// <summary>The last handle is closed; only freeing remains.</summary>
    Dying = 1,
}

/// <summary>
/// A VMO's record in memory: all of it that is not pages. Changed only by publishing a commit of the record.
/// </summary>
public sealed class VmoRecord
{
    public required VmoMeta Meta { get; init; }
    public required LayerId Top { get; init; }
    public required ulong Seq { get; set; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; init; } = [];
    public VmoSignals UserSignals { get; set; }
    public VmoState State { get; set; }
    public uint NextHandle { get; set; } = 1;
    public HandleTable Handles { get; set; } = new();
    public RequestRing Ring { get; init; } = new();

    /// <summary>The fields a new VMO's record begins with.</summary>
    public static List<StoreField> NewFields(VmoMeta meta, string name, IReadOnlyDictionary<string, string> labels, HandleEntry handle, StoreField ring)
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
        return new()
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
        };
    }

    /// <summary>A 32-bit number as stored.</summary>
    public static byte[] Number(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
