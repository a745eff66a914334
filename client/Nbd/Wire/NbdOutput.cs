using System.Threading.Channels;

namespace VmoCluster.NbdDoor.Wire;

/// <summary>
/// Replies on their way to one client, in the order they were done. What is done while one is being sent goes together with the next system call. Memory
/// is the requests' own: whoever made a reply gives it back when it was sent, so that a client that does not read holds up its own requests only.
/// </summary>
internal sealed class NbdOutput : IAsyncDisposable
{
    // Small replies are put side by side; a payload that fills a system call by itself is sent from where it is.
    private const int JoinedBytes = 64 << 10;
    private const int CopiedBytesMost = 16 << 10;

    // A longer payload goes in slices, so that a client that takes it slowly is seen to take it.
    private const int SliceBytes = 1 << 20;

    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopped;
    private readonly Channel<NbdReply> _replies = Channel.CreateUnbounded<NbdReply>(new() { SingleReader = true });
    private readonly byte[] _joined = new byte[JoinedBytes];
    private readonly Task _sending;
    private int _filled;

    // When the system call began that is under way; 0 without one.
    private long _writingSince;

    public NbdOutput(Stream stream, TimeProvider time, CancellationToken stopped)
    {
        (_stream, _time, _stopped) = (stream, time, stopped);
        _sending = Task.Run(SendAsync, CancellationToken.None);
    }

    /// <summary>Ends when all was sent after <see cref="Complete"/>; faulted when the client cannot be reached any more.</summary>
    public Task Sent => _sending;

    /// <summary>For how long the client has taken nothing of what is being sent; zero when nothing is.</summary>
    public TimeSpan StalledFor => Volatile.Read(ref _writingSince) is var since and not 0 ? _time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>Sends a reply. Once nothing can be sent any more it is only given back.</summary>
    public void Send(NbdReply reply)
    {
        if (!_replies.Writer.TryWrite(reply))
            reply.Sent();
    }

    /// <summary>No more replies.</summary>
    public void Complete() => _replies.Writer.TryComplete();

    public async ValueTask DisposeAsync()
    {
        Complete();
        await _sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task SendAsync()
    {
        var joined = new List<NbdReply>();
        try
        {
            while (await _replies.Reader.WaitToReadAsync(_stopped).ConfigureAwait(false))
            {
                while (_replies.Reader.TryRead(out var reply))
                {
                    joined.Add(reply);
                    await PutAsync(reply.Head).ConfigureAwait(false);
                    await PutAsync(reply.Body).ConfigureAwait(false);
                    // Whoever waits for its room need not wait until nothing more is to be sent.
                    if (_filled == 0)
                        GiveBack(joined);
                }

                await FlushAsync().ConfigureAwait(false);
                GiveBack(joined);
            }
        }
        finally
        {
            Complete();
            GiveBack(joined);
            while (_replies.Reader.TryRead(out var reply))
                reply.Sent();
        }
    }

    private async ValueTask PutAsync(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > CopiedBytesMost)
        {
            await FlushAsync().ConfigureAwait(false);
            for (; bytes.Length > 0; bytes = bytes[Math.Min(SliceBytes, bytes.Length)..])
                await WriteAsync(bytes[..Math.Min(SliceBytes, bytes.Length)]).ConfigureAwait(false);
            return;
        }

        if (bytes.Length > _joined.Length - _filled)
            await FlushAsync().ConfigureAwait(false);
        bytes.CopyTo(_joined.AsMemory(_filled));
        _filled += bytes.Length;
    }

    private async ValueTask FlushAsync()
    {
        if (_filled == 0)
            return;
        await WriteAsync(_joined.AsMemory(0, _filled)).ConfigureAwait(false);
        _filled = 0;
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        Volatile.Write(ref _writingSince, Math.Max(1, _time.GetTimestamp()));
        await _stream.WriteAsync(bytes, _stopped).ConfigureAwait(false);
        Volatile.Write(ref _writingSince, 0);
    }

    private static void GiveBack(List<NbdReply> replies)
    {
        foreach (var reply in replies)
            reply.Sent();
        replies.Clear();
    }
}

/// <summary>One reply, or one chunk of one.</summary>
/// <param name="Head">Its header.</param>
/// <param name="Body">Its payload.</param>
/// <param name="Sent">Told once when its memory is not needed any more, whether it was sent or not.</param>
internal readonly record struct NbdReply(ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Body, Action Sent);
