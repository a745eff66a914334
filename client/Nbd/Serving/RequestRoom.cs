namespace VmoCluster.NbdDoor.Serving;

/// <summary>How much of one connection is under way: requests, and bytes of payloads. One at a time asks to enter, the connection's reader; what is larger than all the room goes alone.</summary>
internal sealed class RequestRoom(int requestsMost, int bytesMost)
{
    private readonly Lock _lock = new();
    private int _requests;
    private long _bytes;
    private long _wanted;
    private TaskCompletionSource? _turn;
    private TaskCompletionSource? _empty;

    /// <summary>Comes back when there is room; it is taken until <see cref="Leave"/>. Who stops waiting has taken none.</summary>
    public ValueTask EnterAsync(int bytes, CancellationToken cancellation = default)
    {
        lock (_lock)
        {
            if (TryTake(bytes))
                return default;
            (_wanted, _turn) = (bytes, new(TaskCreationOptions.RunContinuationsAsynchronously));
            return new(WaitAsync(_turn, cancellation));
        }
    }

    /// <summary>Gives back the room that was taken.</summary>
    public void Leave(int bytes)
    {
        TaskCompletionSource? entered = null, emptied = null;
        lock (_lock)
        {
            _requests--;
            _bytes -= bytes;
            if (_turn is not null && TryTake(_wanted))
                (entered, _turn) = (_turn, null);
            else if (_requests == 0)
                (emptied, _empty) = (_empty, null);
        }

        entered?.SetResult();
        emptied?.SetResult();
    }

    /// <summary>Comes back when nothing is inside, and nobody waits to be.</summary>
    public Task EmptyAsync()
    {
        lock (_lock)
            return _requests == 0 ? Task.CompletedTask : (_empty ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    private async Task WaitAsync(TaskCompletionSource turn, CancellationToken cancellation)
    {
        using (cancellation.UnsafeRegister(_ => Abandon(turn, cancellation), null))
            await turn.Task.ConfigureAwait(false);
    }

    private void Abandon(TaskCompletionSource turn, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (_turn != turn)
                return;
            _turn = null;
        }

        turn.SetCanceled(cancellation);
    }

    private bool TryTake(long bytes)
    {
        if (_requests > 0 && (_requests >= requestsMost || _bytes + bytes > bytesMost))
            return false;
        _requests++;
        _bytes += bytes;
        return true;
    }
}
