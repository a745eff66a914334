using System.Runtime.CompilerServices;

namespace VmoCluster.Core.Contents;

/// <summary>Sixteen slots, the unit in which they are stored. Never changed once published: a change makes a new leaf.</summary>
public sealed class Leaf
{
    /// <summary>Bytes of memory a leaf takes, its place in the map included.</summary>
    public const int MemoryBytes = 24 + (Limits.LeafPages * 24) + 48;

    private Slots _slots;

    public Leaf()
    {
    }

    private Leaf(in Slots slots) => _slots = slots;

    public Slot this[int index]
    {
        get => _slots[index];
        set => _slots[index] = value;
    }

    /// <summary>The number of the leaf that holds a page.</summary>
    public static ulong Of(ulong page) => page / Limits.LeafPages;

    /// <summary>A page's place in its leaf.</summary>
    public static int IndexOf(ulong page) => (int)(page % Limits.LeafPages);

    /// <summary>Whether no slot says anything.</summary>
    public bool IsEmpty
    {
        get
        {
            foreach (ref readonly var slot in (ReadOnlySpan<Slot>)_slots)
            {
                if (!slot.IsAbsent)
                    return false;
            }

            return true;
        }
    }

    /// <summary>A copy to be changed before it is published.</summary>
    public Leaf Copy() => new(_slots);

    [InlineArray(Limits.LeafPages)]
    private struct Slots
    {
        private Slot _first;
    }
}
