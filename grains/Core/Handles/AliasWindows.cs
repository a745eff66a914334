using VmoCluster.Messages;

namespace VmoCluster.Core.Handles;

/// <summary>
/// By what slices and references act on the VMO whose pages they show: for each of their handles an entry like one of the VMO's own, under a
/// secret that was made here and that nobody outside this activation has ever seen. So a call that was handed on passes the very checks, queue
/// and ring of every other call. Nothing of it is stored: the next owner makes new ones.
/// </summary>
public sealed class AliasWindows
{
    /// <summary>Windows at the most; one that nobody can be waiting for any more makes room. About 300 bytes each.</summary>
    private const int Most = 4096;

    private readonly Dictionary<(Koid Alias, uint Handle, AliasTerm Term), Window> _windows = [];
    private readonly Dictionary<HandleHash, Window> _byHash = [];

    // Before these terms nothing is heard. An old one is forgotten when whatever it might still refuse is too old to be run.
    private readonly Dictionary<Koid, (AliasTerm Term, long SinceMs)> _fences = [];

    /// <summary>Lets a call in: the secret under which it is decided here. Times are of a clock that never steps.</summary>
    public Outcome TryAdmit(AliasPass pass, HandleSecret fresh, long nowMs, out HandleSecret secret)
    {
        secret = default;
        if (_fences.TryGetValue(pass.Alias, out var fence) && pass.Term.IsBefore(fence.Term))
            return new(VmoStatus.Io, $"VMO {pass.Alias} has moved on since it handed the call on; try again", 20);
        var key = (pass.Alias, pass.Handle, pass.Term);
        if (!_windows.TryGetValue(key, out var window))
        {
            if (_windows.Count >= Most)
                Forget(nowMs);
            if (_windows.Count >= Most)
                return new(VmoStatus.ShouldWait, $"{Most} handles of slices and references are acting on the VMO, its most", 100);
            window = new(pass.Alias, fresh);
            _windows.Add(key, window);
            _byHash.Add(fresh.Hash(), window);
        }

        window.UsedMs = nowMs;
        window.Entry = new(0, window.Secret.Hash(), pass.Rights, 0, pass.ExpiresMs, pass.Range, 0, IsClosed: false);
        secret = window.Secret;
        return Outcome.Ok;
    }

    /// <summary>The entry under a secret's hash.</summary>
    public HandleEntry? Find(HandleHash hash) => _byHash.TryGetValue(hash, out var window) ? window.Entry : null;

    /// <summary>Whose a secret is: the same through all moves of either VMO. None: not a window's.</summary>
    public Koid AliasOf(HandleHash hash) => _byHash.TryGetValue(hash, out var window) ? window.Alias : Koid.None;

    /// <summary>Ends what an alias has handed on before a term: it finds no handle when its turn comes.</summary>
    public void Fence(AliasFence fence, long nowMs)
    {
        foreach (var key in _windows.Keys.Where(key => key.Alias == fence.Alias && key.Term.IsBefore(fence.Term)).ToList())
            Remove(key);
        if (_fences.Count >= Most)
        {
            foreach (var (alias, _) in _fences.Where(old => old.Value.SinceMs < nowMs - Limits.RequestKeepMs).ToList())
                _fences.Remove(alias);
        }

        if (!_fences.TryGetValue(fence.Alias, out var known) || known.Term.IsBefore(fence.Term))
            _fences[fence.Alias] = (fence.Term, nowMs);
    }

    // A call that came in longer ago than any deadline is over, and so are its pieces.
    private void Forget(long nowMs)
    {
        foreach (var (key, _) in _windows.Where(old => old.Value.UsedMs < nowMs - (2 * Limits.DeadlineMaxMs)).ToList())
            Remove(key);
    }

    private void Remove((Koid Alias, uint Handle, AliasTerm Term) key)
    {
        _windows.Remove(key, out var window);
        _byHash.Remove(window!.Secret.Hash());
    }

    private sealed class Window(Koid alias, HandleSecret secret)
    {
        public Koid Alias => alias;
        public HandleSecret Secret => secret;
        public HandleEntry? Entry { get; set; }
        public long UsedMs { get; set; }
    }
}
