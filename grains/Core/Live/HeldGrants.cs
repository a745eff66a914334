namespace VmoCluster.Core.Live;

/// <summary>
/// The grants a silo holds, and the views made of them. Thread-safe. A recall may overtake the answer to a request that was under way when it
/// came: such an answer is dropped, because the VMO may not know of it any more.
/// </summary>
public sealed class HeldGrants : ILiveViews
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(Koid Vmo, ulong Extent), Grant> _grants = [];
    private readonly Dictionary<(Koid Vmo, ulong Extent), LiveView> _views = [];
    private readonly Dictionary<Koid, long> _recalls = [];

    // Grants given up by this silo itself while somebody was inside their gates.
    private readonly List<(Koid Vmo, Task Left)> _leaving = [];
    private long _count;

    /// <summary>Grants held.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _grants.Count;
        }
    }

    /// <inheritdoc/>
    public bool TryGet(Koid parent, ulong extent, ulong session, out LiveView view)
    {
        lock (_lock)
            return _views.TryGetValue((parent, extent), out view!) && view.IsValid && view.Session == session;
    }

    /// <inheritdoc/>
    public void Forget(Koid parent, ulong extent)
    {
        lock (_lock)
        {
            _views.Remove((parent, extent));
            // What it was made of may name a blob that has gone: all of it is asked for anew. Every view of it ends with it, or a recall would miss
            // them; and a recall still waits for whoever is inside a gate.
            foreach (var (key, grant) in _grants)
                Leave(key.Vmo, grant.RecallAsync());
            _grants.Clear();
        }
    }

    /// <summary>A grant held under a session.</summary>
    public Grant? Find(Koid vmo, ulong extent, ulong session)
    {
        lock (_lock)
            return _grants.TryGetValue((vmo, extent), out var grant) && !grant.IsRecalled && grant.Session == session ? grant : null;
    }

    /// <summary>To be asked before a grant is requested, and given back with its answer.</summary>
    public long Mark(Koid vmo)
    {
        lock (_lock)
            return _recalls.GetValueOrDefault(vmo);
    }

    /// <summary>
    /// Takes a granted extent in, and gives back the one that is held: the same, or one that came before it. Null: something of the VMO was
    /// recalled since the mark, so this may be older than that.
    /// </summary>
    public Grant? Accept(Grant grant, long mark)
    {
        lock (_lock)
        {
            if (_recalls.GetValueOrDefault(grant.Vmo) != mark)
                return null;
            var key = (grant.Vmo, grant.Extent);
            if (_grants.TryGetValue(key, out var held))
            {
                if (!held.IsRecalled && held.Session == grant.Session)
                    return held;
                Leave(key.Vmo, held.RecallAsync());
            }

            return _grants[key] = grant;
        }
    }

    /// <summary>Keeps a view for all that look through the same parent.</summary>
    public void Put(Koid parent, ulong extent, LiveView view)
    {
        lock (_lock)
        {
            if (_views.Count >= ViewsMax)
                _views.Clear();
            _views[(parent, extent)] = view;
        }
    }

    /// <summary>A recall of some extents of a VMO, or of all. Done when nothing is shown through them any more and no commit relies on them.</summary>
    public Task RecallAsync(Koid vmo, IReadOnlyCollection<ulong>? extents)
    {
        var waits = new List<Task>();
        lock (_lock)
        {
            _recalls[vmo] = ++_count;
            _leaving.RemoveAll(leaving => leaving.Left.IsCompleted);
            waits.AddRange(_leaving.Where(leaving => leaving.Vmo == vmo).Select(leaving => leaving.Left));
            var keys = extents is null
                ? _grants.Keys.Where(key => key.Vmo == vmo).ToList()
                : [.. extents.Select(extent => (vmo, extent)).Where(_grants.ContainsKey)];
            foreach (var key in keys)
            {
                waits.Add(_grants[key].RecallAsync());
                _grants.Remove(key);
            }
        }

        return Task.WhenAll(waits);
    }

    /// <summary>A session is over: nothing is shown any more through what was held under it.</summary>
    public void Lose(ulong session)
    {
        lock (_lock)
        {
            foreach (var (key, grant) in _grants.Where(pair => pair.Value.Session == session).ToArray())
            {
                _ = grant.RecallAsync();
                _grants.Remove(key);
            }
        }
    }

    private void Leave(Koid vmo, Task left)
    {
        if (!left.IsCompleted)
            _leaving.Add((vmo, left));
    }

    private const int ViewsMax = 100_000;
}
