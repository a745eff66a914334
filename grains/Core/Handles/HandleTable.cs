namespace VmoCluster.Core.Handles;

/// <summary>
/// The handles of one VMO and their derivation. A table is a plain value to its users: a batch of changes works on a copy, which is
/// published when the batch is durable.
/// </summary>
public sealed class HandleTable
{
    private readonly Dictionary<uint, HandleEntry> _entries;
    private readonly Dictionary<HandleHash, uint> _byHash;

    public HandleTable()
        : this([], [], new())
    {
    }

    private HandleTable(Dictionary<uint, HandleEntry> entries, Dictionary<HandleHash, uint> byHash, AliasWindows windows)
    {
        _entries = entries;
        _byHash = byHash;
        Windows = windows;
    }

    /// <summary>What slices and references of the VMO are let in with: in memory only, shared by all copies, neither stored nor counted.</summary>
    public AliasWindows Windows { get; }

    /// <summary>Entries, closed ones that still have descendants included.</summary>
    public int EntryCount => _entries.Count;

    /// <summary>Handles that open something.</summary>
    public int LiveCount { get; private set; }

    /// <summary>The first moment at which time ends a handle; <see cref="long.MaxValue"/> for never.</summary>
    public long NextEndMs => _entries.Count == 0 ? long.MaxValue : _entries.Values.Min(entry => entry.EndsMs);

    public IEnumerable<HandleEntry> Entries => _entries.Values;

    public HandleTable Copy() => new(new(_entries), new(_byHash), Windows) { LiveCount = LiveCount };

    /// <summary>The live handle with this hash that has not ended by <paramref name="nowMs"/>.</summary>
    public HandleEntry? Find(HandleHash hash, long nowMs)
    {
        var found = _byHash.TryGetValue(hash, out var number) && _entries[number] is { IsClosed: false } entry && entry.Hash.Equals(hash) ? entry : Windows.Find(hash);
        return found is not null && nowMs < found.EndsMs ? found : null;
    }

    /// <summary>Whether a live handle has this hash.</summary>
    public bool Has(HandleHash hash) => _byHash.ContainsKey(hash);

    /// <summary>An entry by number, closed or not.</summary>
    public HandleEntry? ByNumber(uint number) => _entries.GetValueOrDefault(number);

    /// <summary>Puts an entry in, or in the place of one with the same number.</summary>
    public void Put(HandleEntry entry)
    {
        Remove(entry.Number);
        _entries[entry.Number] = entry;
        if (!entry.IsClosed)
        {
            Invariant.Holds(_byHash.TryAdd(entry.Hash, entry.Number), "two handles of a VMO have one secret");
            LiveCount++;
        }
    }

    /// <summary>Gives the receivers of unconfirmed handles until then, if that is later. In memory only.</summary>
    public void AwaitReceivers(long untilMs)
    {
        foreach (var entry in _entries.Values.Where(entry => !entry.IsClosed && entry.ConfirmByMs != 0 && entry.ConfirmByMs < untilMs).ToList())
            _entries[entry.Number] = entry with { ConfirmByMs = untilMs };
    }

    /// <summary>Ends a handle. Returns every entry that changed: those still there closed, those gone as null.</summary>
    public Dictionary<uint, HandleEntry?> Close(uint number)
    {
        var changed = new Dictionary<uint, HandleEntry?>();
        if (_entries.TryGetValue(number, out var entry) && !entry.IsClosed)
        {
            Put(entry with { IsClosed = true });
            changed[number] = _entries[number];
            Prune(number, changed);
        }

        return changed;
    }

    /// <summary>Ends a handle and all derived from it. Returns every entry that changed, as <see cref="Close"/> does.</summary>
    public Dictionary<uint, HandleEntry?> Revoke(uint number)
    {
        var changed = new Dictionary<uint, HandleEntry?>();
        var children = _entries.Values.ToLookup(entry => entry.Parent, entry => entry.Number);
        var parent = _entries.TryGetValue(number, out var revoked) ? revoked.Parent : 0;
        var ending = new Stack<uint>([number]);
        while (ending.TryPop(out var next))
        {
            foreach (var child in children[next])
                ending.Push(child);
            Remove(next);
            changed[next] = null;
        }

        if (parent != 0)
            Prune(parent, changed);
        return changed;
    }

    // A closed entry without living descendants says nothing to anyone any more; nor, then, may its closed parent.
    private void Prune(uint number, Dictionary<uint, HandleEntry?> changed)
    {
        while (number != 0 && _entries.TryGetValue(number, out var entry) && entry.IsClosed && !_entries.Values.Any(other => other.Parent == number))
        {
            Remove(number);
            changed[number] = null;
            number = entry.Parent;
        }
    }

    private void Remove(uint number)
    {
        if (!_entries.Remove(number, out var entry) || entry.IsClosed)
            return;
        _byHash.Remove(entry.Hash);
        LiveCount--;
    }
}
