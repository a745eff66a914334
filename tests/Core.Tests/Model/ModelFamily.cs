namespace VmoCluster.Core.Tests.Model;

/// <summary>
/// A VMO of a family, stupidly: what it has itself, and the parent's pages as they were (a snapshot copies them all) or as they are (a live clone asks). Zeros stand for
/// whatever nobody has written.
/// </summary>
public sealed class ModelMember(ulong size, Dictionary<ulong, byte[]> inherited, ulong limit, ModelMember? parent = null, ulong parentOffset = 0, PageRange hidden = default)
{
    public const ulong Page = Limits.PageBytes;

    // Own pages; an empty array is a mark of zero.
    private readonly Dictionary<ulong, byte[]> _own = [];
    private ulong _limit = limit;

    public ulong Size { get; private set; } = size;

    public byte[] PageAt(ulong page)
    {
        if (_own.TryGetValue(page, out var own))
            return own;
        if (hidden.Contains(new(page)))
            return new byte[Page];
        if (parent is not null)
            return page + parentOffset < parent.Size / Page ? parent.PageAt(page + parentOffset) : new byte[Page];
        return page < _limit && inherited.TryGetValue(page, out var bytes) ? bytes : new byte[Page];
    }

    public byte[] Read(ulong offset, int length)
    {
        var data = new byte[length];
        for (var i = 0; i < length;)
        {
            var (page, from) = ((offset + (ulong)i) / Page, (int)((offset + (ulong)i) % Page));
            var count = Math.Min((int)Page - from, length - i);
            PageAt(page).AsSpan(from, count).CopyTo(data.AsSpan(i));
            i += count;
        }

        return data;
    }

    public void Write(ulong offset, byte[] data)
    {
        for (var i = 0; i < data.Length;)
        {
            var (page, from) = ((offset + (ulong)i) / Page, (int)((offset + (ulong)i) % Page));
            var count = Math.Min((int)Page - from, data.Length - i);
            var bytes = PageAt(page).ToArray();
            data.AsSpan(i, count).CopyTo(bytes.AsSpan(from));
            _own[page] = bytes;
            i += count;
        }
    }

    public void Decommit(ulong first, ulong count)
    {
        for (var page = first; page < first + count; page++)
            _own.Remove(page);
    }

    public void Zero(ulong offset, ulong length)
    {
        for (var at = offset; at < offset + length;)
        {
            var page = at / Page;
            var stop = Math.Min((page + 1) * Page, offset + length);
            var bytes = PageAt(page).ToArray();
            bytes.AsSpan((int)(at % Page), (int)(stop - at)).Clear();
            _own[page] = bytes;
            at = stop;
        }
    }

    /// <summary>COMMIT makes what shows the VMO's own.</summary>
    public void Commit(ulong first, ulong count)
    {
        for (var page = first; page < first + count; page++)
            _own[page] = PageAt(page);
    }

    public void SetSize(ulong size)
    {
        Size = (size + Page - 1) / Page * Page;
        foreach (var page in _own.Keys.Where(page => page >= Size / Page).ToList())
            _own.Remove(page);
        _limit = Math.Min(_limit, Size / Page);
    }

    public bool IsLive => parent is not null;

    /// <summary>A clone that shows this one's pages until it writes its own.</summary>
    public ModelMember Live(ulong offset, ulong size, PageRange hidden) => new(size, [], 0, this, offset / Page, hidden);

    public ModelMember Snapshot(ulong offset, ulong size, PageRange hidden = default)
    {
        var copy = new Dictionary<ulong, byte[]>();
        for (var page = 0ul; page < size / Page && (offset / Page) + page < Size / Page; page++)
            copy[page] = PageAt((offset / Page) + page).ToArray();
        return new(size, copy, size / Page, hidden: hidden);
    }
}
