namespace VmoCluster.Core.Live;

/// <summary>
/// What a commit enters that relies on something others may take back: until it is left, whoever closes the gate waits. Thread-safe.
/// </summary>
internal sealed class Gate
{
    private readonly Lock _lock = new();
    private volatile bool _isClosed;
    private volatile int _inside;
    private TaskCompletionSource? _left;

    public bool IsClosed => _isClosed;

    public bool IsEmpty => _inside == 0;

    /// <summary>False: it is closed.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_isClosed)
                return false;
            _inside++;
            return true;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            Invariant.Holds(_inside > 0, "a gate is left that nobody is in");
            if (--_inside == 0)
                _left?.TrySetResult();
        }
    }

    /// <summary>Nobody enters any more. Done when nobody is inside.</summary>
    public Task CloseAsync()
    {
        lock (_lock)
        {
            _isClosed = true;
            return _inside == 0 ? Task.CompletedTask : (_left ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }
}
