using System.Diagnostics;

namespace VmoCluster.Client;

/// <summary>
/// A small read or write on its way through a <see cref="JoinLane{TCall}"/>. It ends once: answered, refused, expired or given up. Its
/// caller's memory is only touched under its lock and never after its end, so that a caller who gave up may use the memory again.
/// </summary>
internal abstract class JoinedCall(ulong offset, int length) : TaskCompletionSource<ulong>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    private bool _isOver;

    public ulong Offset { get; } = offset;
    public int Length { get; } = length;

    /// <summary>When it was made and when it ends at the latest, in the clock's timestamps.</summary>
    public long Started { get; set; }
    public long Due { get; set; }

    /// <summary>Attempts so far, and how the last one ended.</summary>
    public int Tries { get; set; }
    public Outcome Last { get; set; }
    public bool MayHaveHappened { get; set; }

    /// <summary>Whether a message with it has been sent.</summary>
    public bool IsSent { get; set; }

    /// <summary>What the caller was doing, for the message's span.</summary>
    public Activity? Activity { get; set; }

    public CancellationTokenRegistration Registration { get; set; }

    // The lane's list of calls that have not ended.
    public JoinedCall? Previous { get; set; }
    public JoinedCall? Next { get; set; }
    public bool IsListed { get; set; }

    /// <summary>Ends it with the bytes of its answer; a write's answer has none. False: it was over already.</summary>
    public bool TryAnswer(ReadOnlySpan<byte> bytes, ulong version)
    {
        lock (this)
        {
            if (_isOver)
                return false;
            Take(bytes);
            _isOver = true;
        }

        return TrySetResult(version);
    }

    /// <summary>Ends it without result. False: it was over already.</summary>
    public bool TryEnd()
    {
        lock (this)
        {
            if (_isOver)
                return false;
            return _isOver = true;
        }
    }

    /// <summary>Copies a write's bytes into its message. False: it is over, and its memory is the caller's again.</summary>
    public bool TryCopyTo(Span<byte> destination)
    {
        lock (this)
        {
            if (_isOver)
                return false;
            Give(destination);
            return true;
        }
    }

    public bool IsOver
    {
        get
        {
            lock (this)
                return _isOver;
        }
    }

    /// <summary>Puts the answer's bytes where the caller wants them.</summary>
    protected virtual void Take(ReadOnlySpan<byte> bytes)
    {
    }

    /// <summary>Hands out the bytes to be written.</summary>
    protected virtual void Give(Span<byte> destination)
    {
    }
}
