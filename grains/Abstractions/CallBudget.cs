namespace VmoCluster;

/// <summary>What one message of calls takes of a <see cref="CallBudget"/>.</summary>
/// <param name="Calls">How many calls it is: joined ones count one by one.</param>
/// <param name="Bytes">Bytes of pages it brings, or will be answered with.</param>
/// <param name="DeadlineMs">What is left of its deadline.</param>
/// <param name="IsPreferred">It gives something back (close, revoke, decommit), or completes what was begun: it is refused last.</param>
public readonly record struct CallLoad(int Calls, long Bytes, int DeadlineMs, bool IsPreferred = false);

/// <summary>
/// The calls under way at one place: at most so many, of so many bytes, and no more than the place gets through in time. The newest is refused:
/// it has cost nothing yet, while into an older one work has gone and its caller has waited; and a queue that is kept short holds no call
/// whose caller has given up. Safe from several threads.
/// </summary>
/// <remarks>
/// "In time": while as many calls as <see cref="Standing"/> are under way throughout, the calls that end tell what the place gets through (looked
/// at every tenth of a second, or when the next ends, and weighed over about half a second). Then a call is refused that would have to wait for longer than a second, or than
/// half its deadline. Where nothing at all has ended yet nobody knows: there only the numbers hold, and what is wrong is for the calls to say.
/// What is preferred is refused last: it may take a quarter more calls, whatever else is under way.
/// </remarks>
public sealed class CallBudget
{
    /// <summary>So many calls under way are never too many.</summary>
    public const int Standing = 64;

    private const int WindowMs = 100;
    private const double NewWeight = 0.2;
    private const int WaitMostMs = 1000;
    private const int ComeBackLeastMs = 20;
    private const int ComeBackMostMs = 1000;

    private readonly int _callsMax;
    private readonly long _bytesMax;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private long _calls;
    private long _bytes;
    private long _parked;
    private long _refused;

    // Of the window that runs: when it began, calls that ended in it, that were refused, and the least that were under way.
    private long _windowAt;
    private long _ended;
    private long _refusedNow;
    private long _least;

    // Of those before: calls a second that the place gets through, infinite where nobody can tell; and refused ones for each that ended.
    private double _perSecond = double.PositiveInfinity;
    private double _refusedEach;

    /// <param name="callsMax">Calls under way at most.</param>
    /// <param name="bytesMax">Bytes of pages they have, at most. Several times the largest call's.</param>
    /// <param name="time">The clock.</param>
    public CallBudget(int callsMax, long bytesMax, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_callsMax, _bytesMax, _time, _windowAt) = (callsMax, bytesMax, time, time.GetTimestamp());
    }

    /// <summary>Calls under way.</summary>
    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Bytes of pages they have.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Calls refused since the start.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Ok: it is under way until <see cref="Leave"/>. Else ShouldWait: nothing was done, and when to come back.</summary>
    public Outcome TryEnter(in CallLoad load)
    {
        lock (_lock)
        {
            Roll();
            var refusal = Refusal(load);
            if (refusal is not null)
                return Refuse(refusal, load.Calls);
            _calls += load.Calls;
            _bytes += load.Bytes;
            return Outcome.Ok;
        }
    }

    /// <summary>Calls that were let in have ended.</summary>
    public void Leave(in CallLoad load)
    {
        lock (_lock)
        {
            Roll();
            _calls -= load.Calls;
            _bytes -= load.Bytes;
            _ended += load.Calls;
            _least = Math.Min(_least, _calls);
        }
    }

    /// <summary>Lets a call in, or out (-1), that stays on purpose, such as a wait: it is one of the calls, and tells nothing of how fast they end.</summary>
    public Outcome TryPark(int calls)
    {
        lock (_lock)
        {
            if (calls > 0 && _calls + _parked + calls > _callsMax)
                return Refuse($"{_calls + _parked} calls under way here, at most {_callsMax}", calls);
            _parked += calls;
            return Outcome.Ok;
        }
    }

    /// <summary>Bytes that are there whether there is room or not, or (negative) no longer are.</summary>
    public void Count(long bytes)
    {
        lock (_lock)
            _bytes += bytes;
    }

    private string? Refusal(in CallLoad load)
    {
        if (load.IsPreferred)
            return _calls > 0 && _calls + load.Calls > _callsMax + (_callsMax / 4) ? CallsRefusal : null;
        if (_calls > 0 && _calls + _parked + load.Calls > _callsMax)
            return CallsRefusal;
        if (_bytes + load.Bytes > _bytesMax)
            return BytesRefusal(load.Bytes);
        var waitMs = 1000 * _calls / _perSecond;
        return _calls >= Standing && waitMs > Math.Min(WaitMostMs, load.DeadlineMs / 2)
            ? $"{_calls} calls under way here, {_perSecond:F0} end in a second: it would be too late"
            : null;
    }

    private string CallsRefusal => $"{_calls + _parked} calls under way here, at most {_callsMax}";

    private string BytesRefusal(long bytes) => $"{_bytes} bytes of calls under way here and {bytes} more, at most {_bytesMax}";

    // Ten refused for each that gets through: ten times the rest, so that as many come back as can be served.
    private Outcome Refuse(string why, int calls)
    {
        _refused += calls;
        _refusedNow += calls;
        return new(VmoStatus.ShouldWait, why, (int)Math.Min(ComeBackMostMs, ComeBackLeastMs * (1 + _refusedEach)));
    }

    private void Roll()
    {
        var now = _time.GetTimestamp();
        var seconds = _time.GetElapsedTime(_windowAt, now).TotalSeconds;
        if (seconds * 1000 < WindowMs || (_ended == 0 && _least >= Standing))
            return;
        var weight = Math.Min(1, NewWeight * seconds * 1000 / WindowMs);
        if (_least < Standing)
            _perSecond = double.PositiveInfinity;
        else
            _perSecond = double.IsFinite(_perSecond) ? _perSecond + (weight * ((_ended / seconds) - _perSecond)) : _ended / seconds;
        _refusedEach += weight * ((_refusedNow / (double)Math.Max(1, _ended)) - _refusedEach);
        (_windowAt, _ended, _refusedNow, _least) = (now, 0, 0, _calls);
    }
}
