using System.Collections.Concurrent;

namespace VmoCluster.Client;

/// <summary>The cancellation of one attempt: its caller's, or its time-out. Sources are used again, since there is one per message.</summary>
internal sealed class AttemptTimer(TimeProvider time)
{
    private const int KeptMost = 256;
    private readonly ConcurrentQueue<CancellationTokenSource> _kept = new();

    // Only the system's timers can be stopped for sure when a source is taken back.
    private readonly bool _canKeep = time == TimeProvider.System;

    public CancellationTokenSource Start(TimeSpan timeout)
    {
        if (!_canKeep)
            return new CancellationTokenSource(timeout, time);
        if (!_kept.TryDequeue(out var source))
            source = new();
        source.CancelAfter(timeout);
        return source;
    }

    public void Return(CancellationTokenSource source)
    {
        if (_canKeep && _kept.Count < KeptMost && source.TryReset())
            _kept.Enqueue(source);
        else
            source.Dispose();
    }
}
