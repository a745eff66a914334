namespace VmoCluster.Grains;

/// <summary>
/// The room of changes and that of reads: one does not wait for the other, as they do not share a connection. Of what is read, only pages are counted in bytes: how
/// large a map is shows when it has come.
/// </summary>
public sealed record StoreRooms(StoreRoom Commits, StoreRoom Reads);

/// <summary>
/// How much is on its way to the store at once, of all VMOs of the silo: so many requests of so many bytes. Who finds no room waits, the first
/// that came first. What is larger than all the room goes alone. Safe from several threads.
/// </summary>
public sealed class StoreRoom(int most, long bytesMost)
{
    private readonly Lock _lock = new();
    private readonly Queue<(TaskCompletionSource Turn, long Bytes)> _waiting = [];
    private int _inside;
    private long _bytes;

    /// <summary>Requests inside.</summary>
    public int Inside
    {
        get
        {
            lock (_lock)
                return _inside;
        }
    }

    /// <summary>Requests that wait for room.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
                return _waiting.Count;
        }
    }

    /// <summary>Comes back when there is room; it is taken until <see cref="Leave"/>.</summary>
    public Task EnterAsync(long bytes)
    {
        lock (_lock)
        {
            if (_waiting.Count == 0 && TryTake(bytes))
                return Task.CompletedTask;
            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((turn, bytes));
            return turn.Task;
        }
    }

    /// <summary>Asks the store when there is room, and gives it back then.</summary>
    public async Task<T> RunAsync<T>(long bytes, Func<ValueTask<T>> ask)
    {
        await EnterAsync(bytes);
        try
        {
            return await ask();
        }
        finally
        {
            Leave(bytes);
        }
    }

    /// <summary>Gives back the room that was taken.</summary>
    public void Leave(long bytes)
    {
        lock (_lock)
        {
            _inside--;
            _bytes -= bytes;
            while (_waiting.TryPeek(out var next) && TryTake(next.Bytes))
                _waiting.Dequeue().Turn.SetResult();
        }
    }

    private bool TryTake(long bytes)
    {
        if (_inside > 0 && (_inside >= most || _bytes + bytes > bytesMost))
            return false;
        _inside++;
        _bytes += bytes;
        return true;
    }
}
