namespace VmoCluster.NbdDoor.Serving;

/// <summary>How much of one connection is under way: requests, and bytes of payloads. One at a time asks to enter, the connection's reader; what is larger than all the room goes alone.</summary>
internal sealed class RequestRoom(int requestsMost, int bytesMost)
{
    private readonly Lock _lock = new();
    private int _requests;
    private long _bytes;
    private long _wanted;
    private TaskCompletionSource? _turn;

    /// <summary>Comes back when there is room; it is taken until <see cref="Leave"/>.</summary>
    public ValueTask EnterAsync(int bytes)
    {
        lock (_lock)
        {
            if (TryTake(bytes))
                return default;
            (_wanted, _turn) = (bytes, new(TaskCreationOptions.RunContinuationsAsynchronously));
            return new(_turn.Task);
        }
    }

    /// <summary>Gives back the room that was taken.</summary>
    public void Leave(int bytes)
    {
        lock (_lock)
        {
            _requests--;
            _bytes -= bytes;
            if (_turn is { } turn && TryTake(_wanted))
            {
                _turn = null;
                turn.SetResult();
            }
        }
    }

    /// <summary>Comes back when nothing is inside.</summary>
    public async Task EmptyAsync()
    {
        await EnterAsync(int.MaxValue).ConfigureAwait(false);
        Leave(int.MaxValue);
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
