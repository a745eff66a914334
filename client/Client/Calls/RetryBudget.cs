namespace VmoCluster.Client;

/// <summary>
/// What a client may spend on repeats, so that a cluster with too much to do is not given several times as much. A repeat costs one, and gets it
/// back when it is answered Ok: repeats that help are free. A message for the first time earns a tenth, and time earns something, so that a
/// client with few calls can always repeat them. Who gets nothing rests on and asks again: a call is never failed for want of it.
/// </summary>
/// <remarks>
/// So of N messages a second that are all refused, there are at most N / 10 + <see cref="PerSecond"/> repeats a second once
/// <see cref="Most"/> are spent. That store is what a client with hundreds of calls under way needs when a silo dies.
/// </remarks>
internal sealed class RetryBudget(TimeProvider time)
{
    public const double PerMessage = 0.1;
    public const double PerSecond = 100;
    public const double Most = 500;

    private readonly Lock _gate = new();
    private double _left = Most;
    private long _earnedAt = time.GetTimestamp();

    /// <summary>A message is sent, whether a first one or not.</summary>
    public void Sent() => Add(PerMessage);

    /// <summary>A repeat was answered Ok.</summary>
    public void Helped() => Add(1);

    /// <summary>Whether a repeat may be made now; it is paid for.</summary>
    public bool TryTake()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            _left = Math.Min(Most, _left + (PerSecond * time.GetElapsedTime(_earnedAt, now).TotalSeconds));
            _earnedAt = now;
            if (_left < 1)
                return false;
            _left--;
            return true;
        }
    }

    private void Add(double earned)
    {
        lock (_gate)
            _left = Math.Min(Most, _left + earned);
    }
}
