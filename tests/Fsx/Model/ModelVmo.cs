namespace VmoCluster.Fsx.Model;

/// <summary>
/// A VMO of a family, stupidly: an array of its own pages, and for all others the parent's pages as they were (a snapshot has copied every one of them), as they
/// are (a live clone asks), or not its own at all (slice and reference do everything at their parent). Zeros stand for what nobody has written.
/// </summary>
internal sealed class ModelVmo
{
    public const ulong Page = Limits.PageBytes;

    private static readonly byte[] Zeros = new byte[Page];

    private readonly Dictionary<ulong, OwnPage> _own = [];
    private readonly Dictionary<ulong, byte[]> _copied = [];
    private readonly HashSet<ulong> _hidden = [];
    private ulong _size;
    private ulong _contentSize;

    // From here on nothing of what was copied is seen: the lowest size there was.
    private ulong _limit;

    public ModelVmo(int name, VmoKind kind, ModelVmo? parent, ulong offset, ulong size, bool isFixed)
    {
        (Name, Kind, Parent, Offset, IsFixed) = (name, kind, parent, offset, isFixed);
        (_size, _contentSize) = (Rounded(size), size);
        RootOffset = (parent?.RootOffset ?? 0) + offset;
        _limit = _size / Page;
        Maker = parent;
        parent?.Children.Add(this);
        if (kind == VmoKind.Snapshot)
            parent!.CopyTo(_copied, offset / Page, _limit);
    }

    public int Name { get; }
    public VmoKind Kind { get; }

    /// <summary>Where it begins in the VMO it was made of.</summary>
    public ulong Offset { get; }
    public ulong RootOffset { get; }
    public bool IsFixed { get; }

    /// <summary>The parent as it is told; null for a root, and when all that were above are gone.</summary>
    public ModelVmo? Parent { get; private set; }
    public HashSet<ModelVmo> Children { get; } = [];
    public List<ModelHandle> Handles { get; } = [];

    /// <summary>Whether no handle is left. It may stay as a ghost, for those that show its pages.</summary>
    public bool IsClosed => Handles.TrueForAll(handle => handle.IsClosed);
    public bool IsAlias => Kind is VmoKind.Slice or VmoKind.Reference;

    /// <summary>Whether the pages may come to be more or fewer, whoever resizes them.</summary>
    public bool HasResizablePages => IsAlias ? Maker!.HasResizablePages : !IsFixed;

    public ulong Size => Kind == VmoKind.Reference ? Maker!.Size : _size;
    public ulong ContentSize => Kind == VmoKind.Reference ? Maker!.ContentSize : _contentSize;
    public ulong CommittedBytes => (ulong)_own.Values.Count(own => own.IsCommitted) * Page;

    // Whose pages it shows; it lives as long as this one, handles or not.
    private ModelVmo? Maker { get; }

    public static ulong Rounded(ulong size) => (size + Page - 1) / Page * Page;

    /// <summary>A page's bytes, not to be changed.</summary>
    public byte[] PageAt(ulong page) => Shown(page) ?? Zeros;

    public bool IsZero(ulong page) => Shown(page) is null;

    /// <summary>Whether a page counts as committed, of this VMO or of the one whose pages it shows.</summary>
    public bool IsCommitted(ulong page) => IsAlias ? Maker!.IsCommitted(page + (Offset / Page)) : _own.TryGetValue(page, out var own) && own.IsCommitted;

    public byte[] Read(ulong offset, ulong length)
    {
        var data = new byte[length];
        for (var i = 0ul; i < length;)
        {
            var (page, from) = ((offset + i) / Page, (offset + i) % Page);
            var count = Math.Min(Page - from, length - i);
            if (Shown(page) is { } bytes)
                Array.Copy(bytes, (long)from, data, (long)i, (long)count);
            i += count;
        }

        return data;
    }

    public void Write(ulong offset, byte[] data)
    {
        if (IsAlias)
        {
            Maker!.Write(offset + Offset, data);
            return;
        }

        for (var i = 0ul; i < (ulong)data.Length;)
        {
            var (page, from) = ((offset + i) / Page, (offset + i) % Page);
            var count = Math.Min(Page - from, (ulong)data.Length - i);
            Change(page, data.AsSpan((int)i, (int)count), (int)from);
            i += count;
        }
    }

    public void Zero(ulong offset, ulong length)
    {
        if (IsAlias)
        {
            Maker!.Zero(offset + Offset, length);
            return;
        }

        for (var at = offset; at < offset + length;)
        {
            var (page, from) = (at / Page, at % Page);
            var count = Math.Min(Page - from, offset + length - at);
            if (count == Page)
                _own[page] = default;
            else
                Change(page, Zeros.AsSpan(0, (int)count), (int)from);
            at += count;
        }
    }

    /// <summary>What lies below shows again, but for what was hidden at its birth: that stays zero.</summary>
    public void Decommit(ulong first, ulong end)
    {
        if (IsAlias)
        {
            Maker!.Decommit(first + (Offset / Page), end + (Offset / Page));
            return;
        }

        for (var page = first; page < end; page++)
            _own.Remove(page);
    }

    /// <summary>What shows becomes the VMO's own.</summary>
    public void Commit(ulong first, ulong end)
    {
        if (IsAlias)
        {
            Maker!.Commit(first + (Offset / Page), end + (Offset / Page));
            return;
        }

        for (var page = first; page < end; page++)
            _own[page] = new(Shown(page), true);
    }

    public void SetSize(ulong size)
    {
        if (Kind == VmoKind.Reference)
        {
            Maker!.SetSize(size);
            return;
        }

        (_size, _contentSize) = (Rounded(size), size);
        foreach (var page in _own.Keys.Where(page => page >= _size / Page).ToList())
            _own.Remove(page);
        _limit = Math.Min(_limit, _size / Page);
    }

    public void SetContentSize(ulong size)
    {
        if (Kind == VmoKind.Reference)
            Maker!.SetContentSize(size);
        else
            _contentSize = size;
    }

    /// <summary>Pages that a new child must not show, whatever it does.</summary>
    public void Hide(ulong first, ulong end)
    {
        for (var page = first; page < end; page++)
            _hidden.Add(page);
    }

    /// <summary>What is seen of it lies in a frozen layer from now on, and is no longer counted as its own.</summary>
    public void Freeze()
    {
        if (IsAlias)
        {
            Maker!.Freeze();
            return;
        }

        foreach (var (page, own) in _own.Where(own => own.Value.IsCommitted).ToList())
            _own[page] = own with { IsCommitted = false };
        // What it shows of those it follows is frozen where it lies.
        if (Kind == VmoKind.Live)
            Maker!.Freeze();
    }

    /// <summary>
    /// Nobody has a handle any more. It goes, unless somebody shows its pages; its snapshots belong to its parent then, and with it may go a closed parent
    /// whose pages only it has shown.
    /// </summary>
    public void End()
    {
        if (!IsClosed || Children.Any(child => child.Kind != VmoKind.Snapshot))
            return;
        foreach (var child in Children)
        {
            child.Parent = Parent;
            Parent?.Children.Add(child);
        }

        Children.Clear();
        if (Parent is not null && Parent.Children.Remove(this))
            Parent.End();
    }

    // Null: zeros.
    private byte[]? Shown(ulong page)
    {
        if (IsAlias)
            return Maker!.Shown(page + (Offset / Page));
        if (_own.TryGetValue(page, out var own))
            return own.Bytes;
        if (_hidden.Contains(page))
            return null;
        if (Kind == VmoKind.Live)
            return page + (Offset / Page) < Maker!.Size / Page ? Maker.Shown(page + (Offset / Page)) : null;
        return page < _limit ? _copied.GetValueOrDefault(page) : null;
    }

    private void CopyTo(Dictionary<ulong, byte[]> copy, ulong first, ulong count)
    {
        for (var page = 0ul; page < count && first + page < Size / Page; page++)
        {
            if (Shown(first + page) is { } bytes)
                copy[page] = bytes;
        }
    }

    // Zeros over what is not committed store nothing; a page that was committed stays so.
    private void Change(ulong page, ReadOnlySpan<byte> data, int from)
    {
        var bytes = (byte[])PageAt(page).Clone();
        data.CopyTo(bytes.AsSpan(from));
        var wasCommitted = _own.TryGetValue(page, out var own) && own.IsCommitted;
        _own[page] = bytes.AsSpan().ContainsAnyExcept((byte)0) ? new(bytes, true) : new(null, wasCommitted);
    }
}
