using VmoCluster.Messages;

namespace VmoCluster.NbdDoor.Disk;

/// <summary>A stretch of a disk.</summary>
/// <param name="Length">Bytes, at least one.</param>
/// <param name="IsZero">It shows zeros, and nothing is stored for it.</param>
/// <param name="Owner">The VMO that says so; none where nobody ever wrote.</param>
internal readonly record struct DiskExtent(ulong Length, bool IsZero, Koid Owner);

/// <summary>Stretches of a range made of the present pages in it: what lies between them is zeros, and what begins or ends outside is cut.</summary>
internal sealed class DiskExtents
{
    private readonly List<DiskExtent> _extents = [];
    private readonly ulong _end;
    private ulong _at;

    public DiskExtents(ulong offset, ulong length) => (_at, _end) = (offset, offset + length);

    /// <summary>Stretches that are complete: the last may go on.</summary>
    public int Count => _extents.Count;

    /// <summary>The next present stretch, behind the last.</summary>
    public void Add(LookupRun run)
    {
        var (start, end) = (Math.Max(run.Range.Offset, _at), Math.Min(run.Range.End, _end));
        if (start >= end)
            return;
        Put(start - _at, isZero: true, Koid.None);
        Put(end - start, run.IsZero, run.Owner);
    }

    /// <summary>Whether nothing is left to be taken for zeros because it was not told.</summary>
    public bool IsToldToEnd => _at == _end;

    /// <summary>The first so many.</summary>
    public List<DiskExtent> Take(int most) => _extents.GetRange(0, Math.Min(most, _extents.Count));

    /// <summary>All, to the range's end.</summary>
    public List<DiskExtent> ToEnd()
    {
        Put(_end - _at, isZero: true, Koid.None);
        return _extents;
    }

    private void Put(ulong bytes, bool isZero, Koid owner)
    {
        _at += bytes;
        if (bytes == 0)
            return;
        if (_extents is [.., var last] && (last.IsZero, last.Owner) == (isZero, owner))
            _extents[^1] = last with { Length = last.Length + bytes };
        else
            _extents.Add(new(bytes, isZero, owner));
    }
}
