namespace VmoCluster.Core.Tests.Sim;

/// <summary>Sessions as the store has them: a counter each, and whether they are dead, which is final.</summary>
public sealed class SimSessions
{
    private readonly Dictionary<ulong, (long Counter, bool IsDead)> _table = [];
    private ulong _last = 6;

    public ulong Open()
    {
        _table.Add(++_last, (0, false));
        return _last;
    }

    public IEnumerable<(ulong Session, long Counter)> Alive => _table.Where(item => !item.Value.IsDead).Select(item => (item.Key, item.Value.Counter));

    public bool IsDead(ulong session) => _table[session].IsDead;

    /// <summary>False: it is dead.</summary>
    public bool Renew(ulong session)
    {
        if (_table[session].IsDead)
            return false;
        _table[session] = (_table[session].Counter + 1, false);
        return true;
    }

    /// <summary>A silo gives its own session up.</summary>
    public void MarkDead(ulong session) => _table[session] = (_table[session].Counter, true);

    /// <summary>Only if the counter has not moved.</summary>
    public bool MarkDead(ulong session, long counter)
    {
        if (_table[session] != (counter, false))
            return false;
        _table[session] = (counter, true);
        return true;
    }
}
