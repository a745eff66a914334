using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>One small request, and what came with it.</summary>
/// <param name="Request">What is asked.</param>
/// <param name="Payload">The bytes to write, or more; nobody else's. Empty for a read.</param>
internal readonly record struct SmallCall(NbdRequest Request, byte[] Payload);

/// <summary>
/// Small requests of one connection and one kind, done together: what came in one piece from the client goes in one message, and what comes while two
/// messages are under way goes with the next.
/// </summary>
/// <param name="send">Does some of them and answers each, whatever comes.</param>
internal sealed class SmallCalls(Func<List<SmallCall>, Task> send)
{
    private const int MessagesMost = 2;

    private readonly Lock _lock = new();
    private readonly Queue<SmallCall> _waiting = new();
    private int _messages;

    /// <summary>Adds one; it waits until <see cref="Go"/>.</summary>
    public void Add(SmallCall call)
    {
        lock (_lock)
            _waiting.Enqueue(call);
    }

    /// <summary>What waits is sent, at once or behind what is under way.</summary>
    public void Go()
    {
        while (true)
        {
            List<SmallCall>? batch;
            lock (_lock)
            {
                if (_messages == MessagesMost || (batch = Take()) is null)
                    return;
                _messages++;
            }

            _ = SendAsync(batch);
        }
    }

    private async Task SendAsync(List<SmallCall>? batch)
    {
        while (batch is not null)
        {
            try
            {
                await send(batch).ConfigureAwait(false);
            }
            finally
            {
                lock (_lock)
                {
                    batch = Take();
                    _messages -= batch is null ? 1 : 0;
                }
            }
        }
    }

    private List<SmallCall>? Take()
    {
        if (_waiting.Count == 0)
            return null;
        var (batch, bytes) = (new List<SmallCall>(_waiting.Count), 0u);
        while (batch.Count < Limits.JoinCallsMax && _waiting.TryPeek(out var next) && (bytes += next.Request.Length) <= Limits.MessageBytesMax)
            batch.Add(_waiting.Dequeue());
        return batch;
    }
}
