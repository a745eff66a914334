using System.Runtime.InteropServices;

namespace VmoCluster.Cli.Transfer;

/// <summary>
/// A transfer's pieces in flight: at most so many, settled in the order they were sent. So memory is bounded, and what has been settled is
/// always a beginning of the whole. The first failure ends it; when it is disposed nothing is in flight any more.
/// </summary>
/// <param name="most">Pieces in flight.</param>
/// <param name="call">Sends or fetches one.</param>
/// <param name="settled">Takes each piece in order when its call is done; its buffer is used again afterwards.</param>
/// <param name="cancellation">The command's end.</param>
internal sealed class PieceWindow(int most, Func<Piece, CancellationToken, Task> call, Action<Piece> settled, CancellationToken cancellation) : IAsyncDisposable
{
    /// <summary>Bytes of a piece.</summary>
    public const int PieceBytes = Limits.CallBytesMax;

    private readonly Queue<(Piece Piece, Task Task)> _inFlight = new();
    private readonly Stack<byte[]> _free = new();
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);

    /// <summary>A buffer of 1 MiB, as soon as one more piece may be in flight. It comes back by <see cref="Send"/> or <see cref="Return"/>.</summary>
    public async ValueTask<byte[]> RoomAsync()
    {
        while (_inFlight.Count >= most)
            await SettleOldestAsync();
        _stop.Token.ThrowIfCancellationRequested();
        // What is done already need not wait until the window is full: progress is told, memory is used again.
        while (_inFlight.TryPeek(out var oldest) && oldest.Task.IsCompleted)
            await SettleOldestAsync();
        return _free.TryPop(out var buffer) ? buffer : GC.AllocateUninitializedArray<byte>(PieceBytes);
    }

    /// <summary>Takes back a buffer that was not needed.</summary>
    public void Return(byte[] buffer) => _free.Push(buffer);

    /// <summary>Begins a piece's call.</summary>
    public void Send(Piece piece) => _inFlight.Enqueue((piece, call(piece, _stop.Token)));

    /// <summary>Waits for all.</summary>
    public async Task DrainAsync()
    {
        while (_inFlight.Count > 0)
            await SettleOldestAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_inFlight.Count > 0)
            await _stop.CancelAsync();
        foreach (var (_, task) in _inFlight)
        {
            // The failure that ended the transfer is on its way up already; these only have to be over.
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _stop.Dispose();
    }

    private async Task SettleOldestAsync()
    {
        var (piece, task) = _inFlight.Peek();
        await task;
        _inFlight.Dequeue();
        settled(piece);
        if (MemoryMarshal.TryGetArray<byte>(piece.Bytes, out var segment) && segment.Array is { Length: PieceBytes } buffer)
            _free.Push(buffer);
    }
}
