using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>
/// Small reads of one connection, asked for together: what came in one piece from the client goes in one message, and what comes while two messages
/// are under way goes with the next. Each is answered by itself. One that fails fails alone: those that were asked with it are asked again one by one.
/// </summary>
/// <param name="disk">The export.</param>
/// <param name="answer">Told of each read and its bytes, which are nobody else's.</param>
/// <param name="alone">Reads one by itself, and answers it whatever comes.</param>
internal sealed class SmallReads(VmoDisk disk, Action<NbdRequest, ReadOnlyMemory<byte>> answer, Action<NbdRequest> alone)
{
    /// <summary>What is no larger goes together.</summary>
    public const uint BytesMost = 64 << 10;

    private const int MessagesMost = 2;

    private readonly Lock _lock = new();
    private readonly Queue<NbdRequest> _waiting = new();
    private int _messages;

    /// <summary>Adds one; it waits until <see cref="Go"/>.</summary>
    public void Add(NbdRequest request)
    {
        lock (_lock)
            _waiting.Enqueue(request);
    }

    /// <summary>What waits is asked for, at once or behind what is under way.</summary>
    public void Go()
    {
        while (true)
        {
            List<NbdRequest>? batch;
            lock (_lock)
            {
                if (_messages == MessagesMost || (batch = Take()) is null)
                    return;
                _messages++;
            }

            _ = ReadAsync(batch);
        }
    }

    private async Task ReadAsync(List<NbdRequest>? batch)
    {
        while (batch is not null)
        {
            await ReadOnceAsync(batch).ConfigureAwait(false);
            lock (_lock)
            {
                batch = Take();
                _messages -= batch is null ? 1 : 0;
            }
        }
    }

    private async Task ReadOnceAsync(List<NbdRequest> batch)
    {
        byte[] bytes;
        try
        {
            bytes = await disk.ReadManyAsync([.. batch.Select(request => new ByteRange(request.Offset, request.Length))]).ConfigureAwait(false);
        }
        catch (Exception) // Which of them it was, and why, each finds out for itself.
        {
            batch.ForEach(alone);
            return;
        }

        var at = 0;
        foreach (var request in batch)
        {
            answer(request, bytes.AsMemory(at, (int)request.Length));
            at += (int)request.Length;
        }
    }

    private List<NbdRequest>? Take()
    {
        if (_waiting.Count == 0)
            return null;
        var (batch, bytes) = (new List<NbdRequest>(_waiting.Count), 0u);
        while (batch.Count < Limits.JoinCallsMax && _waiting.TryPeek(out var next) && (bytes += next.Length) <= Limits.MessageBytesMax)
            batch.Add(_waiting.Dequeue());
        return batch;
    }
}
