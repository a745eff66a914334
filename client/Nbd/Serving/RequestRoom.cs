namespace VmoCluster.NbdDoor.Serving;

/// <summary>
/// How much of one connection is under way: requests, and bytes of payloads. One at a time asks to enter, the connection's reader; what is larger than all the room goes alone. Of the bytes a
/// connection has <see cref="ShareBytes"/> by itself, the others out of what all connections share.
/// </summary>
internal sealed class RequestRoom(int requestsMost, int bytesMost, SharedRoom shared)
{
    /// <summary>Bytes that a connection has by itself, however full the server is.</summary>
    public const int ShareBytes = 64 << 10;

    private readonly Lock _lock = new();
    private int _requests;
    private long _bytes;
    private long _wanted;
    private TaskCompletionSource? _turn;
    private SharedRoom.Place? _place;
    private TaskCompletionSource? _empty;

    /// <summary>Bytes it has of what all connections share.</summary>
    public long Borrowed
    {
        get
        {
            lock (_lock)
                return BorrowedFor(_bytes);
        }
    }

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
        SharedRoom.Place? left = null;
        long back;
        lock (_lock)
        {
            back = BorrowedFor(_bytes) - BorrowedFor(_bytes - bytes);
            _requests--;
            _bytes -= bytes;
            // What fits into its own share now need not stand in line any more.
            if (_place is not null && BorrowedFor(_bytes + _wanted) == 0)
                (left, _place) = (_place, null);
            if (_turn is not null && _place is null && TryTake(_wanted))
                (entered, _turn) = (_turn, null);
            else
                emptied = Emptied();
        }

        shared.GiveBack(back);
        if (left is not null)
            shared.Leave(left);
        entered?.SetResult();
        emptied?.SetResult();
    }

    /// <summary>Comes back when nothing is inside, and nobody waits to be.</summary>
    public Task EmptyAsync()
    {
        lock (_lock)
            return _requests == 0 && _turn is null ? Task.CompletedTask : (_empty ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    private async Task WaitAsync(TaskCompletionSource turn, CancellationToken cancellation)
    {
        using (cancellation.UnsafeRegister(_ => Abandon(turn, cancellation), null))
            await turn.Task.ConfigureAwait(false);
    }

    private void Abandon(TaskCompletionSource turn, CancellationToken cancellation)
    {
        SharedRoom.Place? place;
        TaskCompletionSource? emptied;
        lock (_lock)
        {
            if (_turn != turn)
                return;
            (_turn, place, _place) = (null, _place, null);
            emptied = Emptied();
        }

        // If it is too late to leave the line, what is given comes to nobody, and goes back.
        if (place is not null)
            shared.Leave(place);
        turn.SetCanceled(cancellation);
        emptied?.SetResult();
    }

    private void Given(SharedRoom.Place place)
    {
        TaskCompletionSource? entered = null;
        var back = place.Bytes;
        lock (_lock)
        {
            if (_place == place)
            {
                // What has left meanwhile had borrowed at least as much as less is needed now.
                back -= BorrowedFor(_bytes + _wanted) - BorrowedFor(_bytes);
                _requests++;
                _bytes += _wanted;
                (entered, _turn, _place) = (_turn, null, null);
            }
        }

        shared.GiveBack(back);
        entered?.SetResult();
    }

    // Nothing is borrowed but for what is inside.
    private static long BorrowedFor(long bytes) => Math.Max(0, bytes - ShareBytes);

    private bool TryTake(long bytes)
    {
        if (_requests > 0 && (_requests >= requestsMost || _bytes + bytes > bytesMost))
            return false;
        var more = BorrowedFor(_bytes + bytes) - BorrowedFor(_bytes);
        if (more > 0 && (_place = shared.TakeOrStand(more, Given)) is not null)
            return false;
        _requests++;
        _bytes += bytes;
        return true;
    }

    private TaskCompletionSource? Emptied()
    {
        if (_requests > 0 || _turn is not null)
            return null;
        var emptied = _empty;
        _empty = null;
        return emptied;
    }
}
