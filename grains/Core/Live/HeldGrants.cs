using VmoCluster.Core.Store;

namespace VmoCluster.Core.Live;

/// <summary>
/// The grants a silo holds, and the views made of them. Thread-safe. A recall may overtake the answer to a request that was under way when it
/// came: such an answer is dropped, because the VMO may not know of it any more. Over its bytes the silo gives up what it has not looked at of
/// late. Nobody is told: the VMO goes on to believe that it is held, and a recall of what is not held is done at once, or when those have left
/// who were inside its gates.
/// </summary>
public sealed class HeldGrants : ILiveViews
{
    private const int ToldGoneMax = 32;
    private const int KnownGoneMax = 4096;

    private readonly long _bytesMax;
    private readonly int _keptMin;
    private readonly int _recallsMax;
    private readonly Lock _lock = new();
    private readonly Dictionary<(Koid Vmo, GrantArea Area), Grant> _grants = [];

    // Grants of each order of areas, so that nobody looks for those that there are not.
    private readonly int[] _orders = new int[GrantArea.OrderMax + 1];

    // Every one is valid: it goes with the first of its grants.
    private readonly Dictionary<(Koid Vmo, ulong Extent), LiveView> _views = [];

    // The number of each VMO's last recall; of those that are not in here it is at most _forgotten.
    private readonly Dictionary<Koid, long> _recalls = [];
    private long _forgotten;
    private long _count;

    // Grants given up by this silo itself while somebody was inside their gates. A commit whose outcome nobody knows is inside until its session is over.
    private readonly List<(Koid Vmo, ulong Session, Task Left)> _leaving = [];

    // Blobs that have gone, each with the number of its forgetting, which rises; the last are told to whoever is asked. Older ones have at most _goneFloor.
    // A blob does not come back, unless the whole store goes back to an earlier state.
    private readonly List<(GoneBlob Blob, long Number)> _gone = [];
    private readonly HashSet<GoneBlob> _knownGone = [];
    private long _goneFloor;
    private long _bytes;
    private long _turn;
    private long _trimmed;

    /// <param name="bytesMax">Bytes that grants and views may take. One view needs the grants of all ancestors it goes through at once.</param>
    /// <param name="keptMin">So many grants, those asked for last, are held however many bytes they are, or no view would ever come about.</param>
    /// <param name="recallsMax">VMOs whose last recall is known by itself; beyond, an answer may be dropped that nothing has overtaken, and is asked for again.</param>
    public HeldGrants(long bytesMax, int keptMin = 64, int recallsMax = 16_384) => (_bytesMax, _keptMin, _recallsMax) = (bytesMax, keptMin, recallsMax);

    /// <summary>Grants held.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _grants.Count;
        }
    }

    /// <summary>Bytes that grants and views take.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    /// <summary>Grants given up so far because they were too many bytes.</summary>
    public long Trimmed => Volatile.Read(ref _trimmed);

    /// <summary>VMOs whose last recall is known by itself.</summary>
    public int RecallsKnown
    {
        get
        {
            lock (_lock)
                return _recalls.Count;
        }
    }

    /// <inheritdoc/>
    public bool TryGet(Koid parent, ulong extent, ulong session, out LiveView view)
    {
        lock (_lock)
        {
            if (!_views.TryGetValue((parent, extent), out view!) || !view.IsValid || view.Session != session)
                return false;
            view.SeenAt(++_turn);
            return true;
        }
    }

    /// <summary>Blobs that have gone of late: whoever is asked for a grant is told, as it may not know yet.</summary>
    public IReadOnlyList<GoneBlob> Gone
    {
        get
        {
            lock (_lock)
                return [.. ToldGone];
        }
    }

    /// <inheritdoc/>
    public void Forget(GoneBlob gone)
    {
        lock (_lock)
        {
            // A blob does not come back, so what was asked for since the first time cannot name it; if only all who were asked were told.
            if (_knownGone.Contains(gone) && ToldGone.Contains(gone))
                return;
            if (!_knownGone.Add(gone))
                _gone.RemoveAll(known => known.Blob == gone);
            _gone.Add((gone, ++_count));
            if (_gone.Count > KnownGoneMax)
                ForgetGone();
            foreach (var grant in _grants.Values.Where(grant => grant.Shown.Names(gone.Layer)).ToArray())
                GiveUp(grant);
        }
    }

    /// <inheritdoc/>
    public bool HasForgotten(GoneBlob gone)
    {
        lock (_lock)
            return _knownGone.Contains(gone);
    }

    /// <summary>
    /// The store has lost its latest past: what was found gone in it may be there again, and go again. Whatever was asked for before names what nobody knows.
    /// </summary>
    public void ForgetGoneOfAll()
    {
        lock (_lock)
        {
            _gone.Clear();
            _knownGone.Clear();
            _goneFloor = ++_count;
        }
    }

    /// <summary>A grant held under a session that shows an extent.</summary>
    public Grant? Find(Koid vmo, ulong extent, ulong session)
    {
        lock (_lock)
        {
            for (var order = 0; order < _orders.Length; order++)
            {
                if (_orders[order] == 0 || !_grants.TryGetValue((vmo, GrantArea.Around(extent, order)), out var grant) || grant.IsRecalled || grant.Session != session)
                    continue;
                grant.Touched = ++_turn;
                return grant;
            }

            return null;
        }
    }

    /// <summary>To be asked before a grant is requested, and given back with its answer.</summary>
    public long Mark()
    {
        lock (_lock)
            return _count;
    }

    /// <summary>
    /// Takes a granted area in, and gives back the one that is held: the same, or one that came before it. Null: something of the VMO was
    /// recalled since the mark, so this may be older than that; or a blob of a layer that it names has gone since.
    /// </summary>
    /// <param name="grant">What was granted.</param>
    /// <param name="mark">The mark taken before it was asked for.</param>
    /// <param name="isTold">Whether the one asked was told, after the mark was taken, what had gone. If not, it may name what has gone of late.</param>
    public Grant? Accept(Grant grant, long mark, bool isTold)
    {
        lock (_lock)
        {
            if (_recalls.GetValueOrDefault(grant.Vmo, _forgotten) > mark || NamesGone(grant, mark, isTold))
                return null;
            if (_grants.TryGetValue((grant.Vmo, grant.Area), out var held))
            {
                if (!held.IsRecalled && held.Session == grant.Session)
                    return held;
                GiveUp(held);
            }

            grant.Touched = ++_turn;
            _grants.Add((grant.Vmo, grant.Area), grant);
            CountOrder(grant, 1);
            _bytes += grant.MemoryBytes;
            Trim();
            return grant;
        }
    }

    /// <summary>Keeps a view for all that look through the same parent.</summary>
    public void Put(Koid parent, ulong extent, LiveView view)
    {
        lock (_lock)
        {
            if (_views.TryGetValue((parent, extent), out var other))
                Remove(other);
            // Whoever removes one of its grants does so here, under the lock, and has ended it before.
            if (!view.IsValid)
                return;
            view.Key = (parent, extent);
            view.SeenAt(++_turn);
            _views.Add((parent, extent), view);
            _bytes += view.MemoryBytes;
            Trim(view);
        }
    }

    /// <summary>A recall of some areas of a VMO, or of all. Done when nothing is shown through them any more and no commit relies on them.</summary>
    public Task RecallAsync(Koid vmo, IReadOnlyCollection<GrantArea>? areas)
    {
        var waits = new List<Task>();
        lock (_lock)
        {
            _recalls[vmo] = ++_count;
            ForgetRecalls();
            _leaving.RemoveAll(leaving => leaving.Left.IsCompleted);
            waits.AddRange(_leaving.Where(leaving => leaving.Vmo == vmo).Select(leaving => leaving.Left));
            var keys = areas is null
                ? _grants.Keys.Where(key => key.Vmo == vmo).ToList()
                : [.. areas.Select(area => (vmo, area)).Where(_grants.ContainsKey)];
            foreach (var key in keys)
                waits.Add(RemoveAsync(_grants[key]));
        }

        return Task.WhenAll(waits);
    }

    /// <summary>A session is over: nothing is shown any more through what was held under it, and a recall waits for nobody who entered under it: what he has sent is fenced.</summary>
    public void Lose(ulong session)
    {
        lock (_lock)
        {
            _leaving.RemoveAll(leaving => leaving.Session == session);
            foreach (var grant in _grants.Values.Where(grant => grant.Session == session).ToArray())
                _ = RemoveAsync(grant);
        }
    }

    private IEnumerable<GoneBlob> ToldGone => _gone.Skip(_gone.Count - ToldGoneMax).Select(known => known.Blob);

    // The layer may have been looked up before the blob went, though the answer comes after: a blob of the same layer may go again and again.
    private bool NamesGone(Grant grant, long mark, bool isTold)
    {
        if (mark < _goneFloor)
            return true;
        for (var i = _gone.Count - 1; i >= 0 && (_gone[i].Number > mark || (!isTold && i >= _gone.Count - ToldGoneMax)); i--)
        {
            if (grant.Shown.Names(_gone[i].Blob.Layer))
                return true;
        }

        return false;
    }

    // The older half goes.
    private void ForgetGone()
    {
        const int left = KnownGoneMax / 2;
        _goneFloor = _gone[^(left + 1)].Number;
        _gone.RemoveRange(0, _gone.Count - left);
        _knownGone.Clear();
        _knownGone.UnionWith(_gone.Select(known => known.Blob));
    }

    // Every view of a grant ends with it, or a recall would miss them.
    private Task RemoveAsync(Grant grant)
    {
        foreach (var view in grant.Views())
            Remove(view);
        if (_grants.Remove((grant.Vmo, grant.Area)))
        {
            _bytes -= grant.MemoryBytes;
            CountOrder(grant, -1);
        }

        return grant.RecallAsync();
    }

    private void CountOrder(Grant grant, int by)
    {
        if (!grant.Area.IsWhole)
            _orders[grant.Area.Order] += by;
    }

    private void Remove(LiveView view)
    {
        if (view.Key is { } key && _views.TryGetValue(key, out var held) && ReferenceEquals(held, view))
        {
            _views.Remove(key);
            _bytes -= view.MemoryBytes;
        }
    }

    // Not asked for: a recall that comes later still waits for whoever is inside a gate.
    private void GiveUp(Grant grant)
    {
        var left = RemoveAsync(grant);
        _leaving.RemoveAll(leaving => leaving.Left.IsCompleted);
        if (!left.IsCompleted)
            _leaving.Add((grant.Vmo, grant.Session, left));
    }

    /// <summary>Gives up views and grants until at most so many bytes are held, or so many of each are left.</summary>
    public void Trim(long bytes, int kept)
    {
        lock (_lock)
            TrimTo(bytes, kept);
    }

    // Down to three quarters, so that not each new one pays for it.
    private void Trim(LiveView? fresh = null)
    {
        if (_bytes > _bytesMax && (_grants.Count > _keptMin || _views.Count > _keptMin))
            TrimTo(_bytesMax / 4 * 3, _keptMin, fresh);
    }

    // First go views, of which a few grants may carry very many, the half of them that was looked at longest ago: they are put together anew without
    // anybody being asked. Then of the grants the half that was asked for longest ago, in the order in which it, and views made of it, were last looked
    // at: whoever asks ancestor after ancestor has not looked at anything yet, and must come to an end.
    private void TrimTo(long bytes, int kept, LiveView? fresh = null)
    {
        _turn++;
        // One that has just been put is waited for by somebody.
        var views = _views.Values.Where(view => view != fresh).OrderBy(view => view.UsedAt(_turn)).ToArray();
        for (var i = 0; i < Math.Min(views.Length / 2, views.Length - kept) && _bytes > bytes; i++)
        {
            Remove(views[i]);
            views[i].End();
        }

        var grants = _grants.Values.OrderBy(grant => grant.Touched).ToArray();
        var older = grants[..(grants.Length / 2)];
        Array.Sort(Array.ConvertAll(older, grant => grant.UsedAt(_turn)), grants, 0, older.Length);
        foreach (var view in _views.Values)
            view.See(_turn);
        for (var i = 0; i < grants.Length - kept && _bytes > bytes; i++)
        {
            GiveUp(grants[i]);
            _trimmed++;
        }
    }

    // The older half goes: what was asked for before the newest of them is taken for overtaken from now on.
    private void ForgetRecalls()
    {
        if (_recalls.Count <= _recallsMax)
            return;
        var numbers = _recalls.Values.Order().ToArray();
        _forgotten = numbers[numbers.Length / 2];
        foreach (var (vmo, number) in _recalls.ToArray())
        {
            if (number <= _forgotten)
                _recalls.Remove(vmo);
        }
    }
}
