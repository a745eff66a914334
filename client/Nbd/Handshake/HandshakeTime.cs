namespace VmoCluster.NbdDoor.Handshake;

/// <summary>What is left of the time that one client has to agree on an export. It runs while the client is waited for, and not while its VMO is.</summary>
internal sealed class HandshakeTime : IDisposable
{
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenSource _both;
    private TimeSpan _left;
    private long _since;

    public HandshakeTime(NbdOptions options, CancellationToken stopped)
    {
        (_time, _left, _over) = (options.TimeProvider, options.HandshakeWithin, new());
        _both = CancellationTokenSource.CreateLinkedTokenSource(_over.Token, stopped);
        Resume();
    }

    /// <summary>Cancelled when it is over, or the server ends.</summary>
    public CancellationToken Token => _both.Token;

    /// <summary>It stands still.</summary>
    public void Suspend()
    {
        _left -= _time.GetElapsedTime(_since);
        _over.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    /// <summary>It runs on.</summary>
    public void Resume()
    {
        _since = _time.GetTimestamp();
        _over.CancelAfter(_left > TimeSpan.Zero ? _left : TimeSpan.Zero);
    }

    public void Dispose()
    {
        _both.Dispose();
        _over.Dispose();
    }
}
