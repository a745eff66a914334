using System.Numerics;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Requests;

/// <summary>
/// The requests whose answers may be asked for again, stored with the commits that answered them: one field a commit, in a ring of
/// <see cref="SlotCount"/>. What is still live in the field that is written over moves into the new one. An entry is live until its client
/// says that it has the answer (AckedBelow) or <see cref="Limits.RequestKeepMs"/> have passed.
/// </summary>
public sealed class RequestRing
{
    /// <summary>Fields of the ring.</summary>
    public const int SlotCount = 64;

    /// <summary>Live entries at the most; more are refused with ShouldWait. About 64 bytes each.</summary>
    public const int EntriesMax = 32_768;

    /// <summary>The result of a request that was refused and yet changed something: neither rights nor a koid.</summary>
    public const ulong Refused = ulong.MaxValue;

    // Never added to.
    private static readonly List<RingEntry> Nothing = [];

    private readonly Dictionary<RequestId, RingEntry> _entries = [];

    // As far as slots were used: of ten thousand idle VMOs each has used one or two.
    private List<RingEntry>[] _slots = [];

    // The lowest sequence each client may still ask for. Below it nothing is run: it was answered, and the answer was received.
    private readonly Dictionary<ulong, ulong> _acked = [];
    private ulong _next;

    public int Count => _entries.Count;

    /// <summary>Whether no more entries may be added.</summary>
    public bool IsFull => _entries.Count >= EntriesMax;

    /// <summary>Takes note of what a client has received.</summary>
    public void Acknowledge(RequestId request, ulong ackedBelow)
    {
        if (request.IsNone || ackedBelow == 0)
            return;
        if (_acked.Count >= EntriesMax && !_acked.ContainsKey(request.Client))
            Forget(request.IssuedMs);
        if (_acked.Count >= EntriesMax && !_acked.ContainsKey(request.Client))
            return;
        if (ackedBelow > _acked.GetValueOrDefault(request.Client))
            _acked[request.Client] = ackedBelow;
    }

    /// <summary>The answer given before.</summary>
    public bool TryFind(RequestId request, out RingEntry entry) => _entries.TryGetValue(request, out entry);

    /// <summary>Whether the answer given before was a refusal that changed something.</summary>
    public bool IsRefused(RequestId request) => TryFind(request, out var entry) && entry.Result == Refused;

    /// <summary>
    /// Whether a request that is not found must not be run: its client had the answer already, or it is older than what is remembered.
    /// </summary>
    public bool IsTooOld(RequestId request, long nowMs) =>
        request.Sequence < _acked.GetValueOrDefault(request.Client) || IsPastKeeping(request, nowMs);

    /// <summary>Whether its answer, if there was one, need not be remembered any more: by the clocks of its client and of this silo.</summary>
    public static bool IsPastKeeping(RequestId request, long nowMs) => request.IssuedMs < nowMs - Limits.RequestKeepMs;

    /// <summary>
    /// Prepares the field that a commit of these entries stores; nothing changes until <see cref="Publish"/>.
    /// </summary>
    public PreparedSlot Prepare(IReadOnlyList<RingEntry> added, long nowMs)
    {
        var slot = (uint)(_next % SlotCount);
        var kept = new List<RingEntry>(added.Count);
        foreach (var entry in EntriesOf(slot))
        {
            if (!IsTooOld(entry.Request, nowMs))
                kept.Add(entry);
        }

        kept.AddRange(added);
        return new(slot, kept, new StoreField(FieldNames.Ring(slot), Encode(_next, kept)));
    }

    /// <summary>The commit of a prepared field is durable.</summary>
    public void Publish(PreparedSlot prepared)
    {
        foreach (var old in EntriesOf(prepared.Slot))
            _entries.Remove(old.Request);
        Set(prepared.Slot, prepared.Entries);
        foreach (var entry in prepared.Entries)
            _entries[entry.Request] = entry;
        _next++;
    }

    /// <summary>Takes a stored field.</summary>
    public void Load(uint slot, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || slot >= SlotCount)
            return;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"a request ring has format {format}, this is for format 1");
        _next = Math.Max(_next, reader.Varint() + 1);
        var entries = new List<RingEntry>();
        for (var left = reader.Count(); left > 0; left--)
        {
            var entry = new RingEntry(new(reader.UInt64(), reader.UInt64()), reader.UInt64(), reader.Varint());
            entries.Add(entry);
            _entries[entry.Request] = entry;
        }

        Set(slot, entries);
        for (var left = reader.Count(); left > 0; left--)
        {
            var (client, acked) = (reader.UInt64(), reader.UInt64());
            if (acked > _acked.GetValueOrDefault(client))
                _acked[client] = acked;
        }
    }

    /// <summary>Everything still live as fields, for a tombstone.</summary>
    public List<StoreField> ToFields()
    {
        var fields = new List<StoreField>();
        for (var slot = 0u; slot < _slots.Length; slot++)
        {
            if (_slots[slot].Count > 0)
                fields.Add(new(FieldNames.Ring(slot), Encode(slot, _slots[slot])));
        }

        return fields;
    }

    private List<RingEntry> EntriesOf(uint slot) => slot < _slots.Length ? _slots[slot] : Nothing;

    private void Set(uint slot, List<RingEntry> entries)
    {
        var before = _slots.Length;
        if (slot >= before)
        {
            Array.Resize(ref _slots, Math.Min(SlotCount, (int)BitOperations.RoundUpToPowerOf2(slot + 1)));
            Array.Fill(_slots, Nothing, before, _slots.Length - before);
        }

        _slots[slot] = entries;
    }

    private byte[] Encode(ulong number, List<RingEntry> entries)
    {
        var writer = new FieldWriter(16 + (entries.Count * 26));
        writer.Byte(1);
        writer.Varint(number);
        writer.Varint((ulong)entries.Count);
        var clients = new HashSet<ulong>();
        foreach (var entry in entries)
        {
            writer.UInt64(entry.Request.Client);
            writer.UInt64(entry.Request.Sequence);
            writer.UInt64(entry.Digest);
            writer.Varint(entry.Result);
            clients.Add(entry.Request.Client);
        }

        clients.RemoveWhere(client => !_acked.ContainsKey(client));
        writer.Varint((ulong)clients.Count);
        foreach (var client in clients)
        {
            writer.UInt64(client);
            writer.UInt64(_acked[client]);
        }

        return writer.ToArray();
    }

    // Clients whose acknowledgements lie further back than any request may: what they might repeat is refused by its age.
    private void Forget(long nowMs)
    {
        foreach (var (client, acked) in _acked.ToArray())
        {
            if (new RequestId(client, acked).IssuedMs < nowMs - Limits.RequestKeepMs)
                _acked.Remove(client);
        }
    }
}

/// <summary>A ring's field about to be stored.</summary>
public sealed record PreparedSlot(uint Slot, List<RingEntry> Entries, StoreField Field);
