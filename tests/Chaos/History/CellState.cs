namespace VmoCluster.Chaos.History;

/// <summary>What one cell is in all VMOs of a family at one instant. Never changed once made; equal when all it holds is.</summary>
internal sealed class CellState : IEquatable<CellState>
{
    // No value of a history is one of these.
    private const ulong Unborn = ulong.MaxValue;
    private const ulong Absent = ulong.MaxValue - 1;

    private readonly Family _family;
    private readonly ulong[] _slots;

    // Of snapshots: what the parent showed at their birth.
    private readonly ulong[] _captured;
    private readonly int _hash;

    private CellState(Family family, ulong[] slots, ulong[] captured)
    {
        (_family, _slots, _captured) = (family, slots, captured);
        var hash = default(HashCode);
        foreach (var slot in slots)
            hash.Add(slot);
        foreach (var value in captured)
            hash.Add(value);
        _hash = hash.ToHashCode();
    }

    /// <summary>Before the family's root is there.</summary>
    public static CellState Before(Family family)
    {
        var slots = new ulong[family.Count];
        Array.Fill(slots, Unborn);
        return new(family, slots, new ulong[family.Count]);
    }

    /// <summary>What a VMO shows; null: it is not there yet.</summary>
    public ulong? Shown(int vmo)
    {
        if (_slots[vmo] == Unborn)
            return null;
        while (_slots[vmo] == Absent)
        {
            if (_family.IsSnapshot(vmo))
                return _captured[vmo];
            if (_family.ParentOf(vmo) < 0)
                return 0;
            vmo = _family.ParentOf(vmo);
        }

        return _slots[vmo];
    }

    /// <summary>The state after a call has taken effect; null: it cannot, or could not have been answered as it was.</summary>
    public CellState? After(CellCall call)
    {
        switch (call.Kind)
        {
            case HistoryKind.Create:
                return With(call.Vmo, Absent);
            case HistoryKind.CloneLive or HistoryKind.CloneSnapshot when Shown(call.Vmo) is { } now:
                return With(call.Child, Absent, call.Kind == HistoryKind.CloneSnapshot ? now : 0);
            case HistoryKind.Read:
                return Shown(call.Vmo) == call.Value ? this : null;
            case HistoryKind.Write when Shown(call.Vmo) is not null:
                return With(call.Vmo, call.Value);
            case HistoryKind.Zero when Shown(call.Vmo) is not null:
                return With(call.Vmo, 0);
            case HistoryKind.Decommit when Shown(call.Vmo) is not null:
                return With(call.Vmo, Absent);
            default:
                return null;
        }
    }

    public bool Equals(CellState? other) =>
        other is not null && _hash == other._hash && _slots.AsSpan().SequenceEqual(other._slots) && _captured.AsSpan().SequenceEqual(other._captured);

    public override bool Equals(object? obj) => Equals(obj as CellState);

    public override int GetHashCode() => _hash;

    private CellState With(int vmo, ulong slot, ulong? captured = null)
    {
        if (_slots[vmo] == slot && captured is null)
            return this;
        var slots = (ulong[])_slots.Clone();
        slots[vmo] = slot;
        if (captured is not { } value)
            return new(_family, slots, _captured);
        var all = (ulong[])_captured.Clone();
        all[vmo] = value;
        return new(_family, slots, all);
    }
}
