namespace VmoCluster.Core.Tests.Model;

/// <summary>What a VMO without clones is, stupidly: an array of pages and a set of those committed (semantics 1.3, 1.4, rulings).</summary>
public sealed class ModelVmo(ulong size)
{
    private const ulong Page = Limits.PageBytes;

    private readonly Dictionary<ulong, byte[]> _pages = [];
    private readonly HashSet<ulong> _committed = [];

    public ulong Size { get; private set; } = (size + Page - 1) / Page * Page;
    public ulong ContentSize { get; private set; } = size;
    public ulong CommittedBytes => (ulong)_committed.Count * Page;

    public VmoStatus Write(ulong offset, byte[] data)
    {
        if (offset + (ulong)data.Length > Size)
            return VmoStatus.OutOfRange;
        for (var i = 0; i < data.Length;)
        {
            var (page, from) = ((offset + (ulong)i) / Page, (int)((offset + (ulong)i) % Page));
            var count = Math.Min((int)Page - from, data.Length - i);
            var bytes = _pages.TryGetValue(page, out var held) ? held : new byte[Page];
            data.AsSpan(i, count).CopyTo(bytes.AsSpan(from));
            // Zeros over what is not committed store nothing.
            if (bytes.Any(b => b != 0) || _committed.Contains(page))
            {
                _pages[page] = bytes;
                _committed.Add(page);
            }

            i += count;
        }

        return VmoStatus.Ok;
    }

    public (VmoStatus Status, byte[] Data) Read(ulong offset, int length)
    {
        if (offset + (ulong)length > Size)
            return (VmoStatus.OutOfRange, []);
        var data = new byte[length];
        for (var i = 0; i < length;)
        {
            var (page, from) = ((offset + (ulong)i) / Page, (int)((offset + (ulong)i) % Page));
            var count = Math.Min((int)Page - from, length - i);
            if (_pages.TryGetValue(page, out var held))
                held.AsSpan(from, count).CopyTo(data.AsSpan(i));
            i += count;
        }

        return (VmoStatus.Ok, data);
    }

    public VmoStatus Commit(ulong offset, ulong length)
    {
        if (offset + length < offset || offset > Size)
            return VmoStatus.OutOfRange;
        var end = Math.Min(offset + length, Size);
        for (var page = offset / Page; end > offset && page * Page < end; page++)
            _committed.Add(page);
        return VmoStatus.Ok;
    }

    public VmoStatus Decommit(ulong offset, ulong length)
    {
        if (offset + length < offset || offset > Size)
            return VmoStatus.OutOfRange;
        if (offset % Page != 0 || (length % Page != 0 && offset + length < Size))
            return VmoStatus.InvalidArgs;
        Drop(offset / Page, Math.Min(offset + length, Size) / Page);
        return VmoStatus.Ok;
    }

    public VmoStatus Zero(ulong offset, ulong length)
    {
        if (offset + length < offset || offset + length > Size)
            return VmoStatus.OutOfRange;
        var (first, end) = ((offset + Page - 1) / Page, (offset + length) / Page);
        if (first < end)
            Drop(first, end);
        for (var at = offset; at < offset + length;)
        {
            var page = at / Page;
            var stop = Math.Min((page + 1) * Page, offset + length);
            if (_pages.TryGetValue(page, out var held))
                held.AsSpan((int)(at % Page), (int)(stop - at)).Clear();
            at = stop;
        }

        return VmoStatus.Ok;
    }

    public VmoStatus SetSize(ulong size)
    {
        var rounded = (size + Page - 1) / Page * Page;
        if (rounded < Size)
            Drop(rounded / Page, Size / Page);
        (Size, ContentSize) = (rounded, size);
        return VmoStatus.Ok;
    }

    /// <summary>Pages present, and whether they are zero.</summary>
    public List<(ulong Page, bool IsZero)> Present() =>
        [.. _committed.Order().Select(page => (page, !_pages.TryGetValue(page, out var bytes) || bytes.All(b => b == 0)))];

    private void Drop(ulong first, ulong end)
    {
        foreach (var page in _committed.Concat(_pages.Keys).Where(page => page >= first && page < end).ToList())
        {
            _pages.Remove(page);
            _committed.Remove(page);
        }
    }
}
