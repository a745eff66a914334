using VmoCluster.Core.Store;

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
    private readonly List<LayerId> _gone = [];
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

    /// <summary>Layers that have gone of late: whoever is asked for a grant is told, as it may not know yet.</summary>
    public IReadOnlyList<LayerId> Gone
    {
        get
        {
            lock (_lock)
                return [.. _gone];
        }
    }

    /// <inheritdoc/>
    public void Forget(LayerId gone)
    {
        lock (_lock)
        {
            if (!_gone.Contains(gone))
                _gone.Add(gone);
            if (_gone.Count > GoneMax)
                _gone.RemoveAt(0);
            // Every view of a grant ends with it, or a recall would miss them; and a recall still waits for whoever is inside a gate.
            foreach (var (key, grant) in _grants.Where(pair => pair.Value.Shown.Names(gone)).ToArray())
            {
                Leave(key.Vmo, grant.RecallAsync());
                _grants.Remove(key);
            }
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
    /// recalled since the mark, so this may be older than that; or it names a layer that has gone since.
    /// </summary>
    /// <param name="grant">What was granted.</param>
    /// <param name="mark">The mark taken before it was asked for.</param>
    /// <param name="told">The gone layers that the one asked was told of: what it names all the same, it names rightly.</param>
    public Grant? Accept(Grant grant, long mark, IReadOnlyList<LayerId> told)
    {
        lock (_lock)
        {
            if (_recalls.GetValueOrDefault(grant.Vmo) != mark || _gone.Exists(layer => !told.Contains(layer) && grant.Shown.Names(layer)))
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
    private const int GoneMax = 16;
}
