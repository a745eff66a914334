using VmoCluster.Client;

namespace VmoCluster.Chaos.Load;

/// <summary>The VMOs of one family that callers use at present. Thread-safe.</summary>
internal sealed class PlayedFamily
{
    private readonly Lock _lock = new();
    private readonly List<Vmo> _vmos = [];
    private readonly List<Vmo> _perhapsClosed = [];

    public PlayedFamily(Vmo root) => _vmos.Add(root);

    public int Count
    {
        get
        {
            lock (_lock)
                return _vmos.Count;
        }
    }

    /// <summary>All of them, the root first.</summary>
    public IReadOnlyList<Vmo> All
    {
        get
        {
            lock (_lock)
                return [.. _vmos];
        }
    }

    /// <summary>The one that is never closed while callers run.</summary>
    public Vmo Root => All[0];

    /// <summary>Those whose close nobody answered: they may live.</summary>
    public IReadOnlyList<Vmo> PerhapsClosed
    {
        get
        {
            lock (_lock)
                return [.. _perhapsClosed];
        }
    }

    /// <summary>One that was taken out to be closed, and nobody answered.</summary>
    public void AddPerhapsClosed(Vmo vmo)
    {
        lock (_lock)
            _perhapsClosed.Add(vmo);
    }

    public Vmo Any(Random random)
    {
        lock (_lock)
            return _vmos[random.Next(_vmos.Count)];
    }

    /// <summary>Whether nobody has taken it out yet.</summary>
    public bool Holds(Vmo vmo)
    {
        lock (_lock)
            return _vmos.Any(held => held.Handle.Equals(vmo.Handle));
    }

    public void Add(Vmo clone)
    {
        lock (_lock)
            _vmos.Add(clone);
    }

    public void Remove(Vmo vmo)
    {
        lock (_lock)
            _vmos.Remove(vmo);
    }

    /// <summary>One that is to be closed, and that nobody takes any more; never the root. Null: there is no other.</summary>
    public Vmo? TakeOut(Random random)
    {
        lock (_lock)
        {
            if (_vmos.Count < 2)
                return null;
            var at = random.Next(1, _vmos.Count);
            var vmo = _vmos[at];
            _vmos.RemoveAt(at);
            return vmo;
        }
    }
}
