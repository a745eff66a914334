namespace VmoCluster.Client.Tests.Model;

/// <summary>A VMO that is as stupid as can be: an array of bytes. Everything happens under the cluster's lock.</summary>
internal sealed class ModelVmo(Koid koid, ulong size)
{
    public Koid Koid { get; } = koid;
    public byte[] Bytes { get; private set; } = new byte[Round(size)];
    public ulong Size => (ulong)Bytes.Length;
    public ulong ContentSize { get; set; } = size;
    public VmoOptions Options { get; init; }
    public string Name { get; set; } = "";
    public Dictionary<string, string>? Labels { get; init; }
    public VmoKind Kind { get; init; }
    public Koid Parent { get; init; }
    public ulong Offset { get; init; }
    public VmoSignals Signals { get; set; } = VmoSignals.ZeroChildren;
    public ulong Version { get; set; } = 1;
    public Dictionary<HandleSecret, ModelHandle> Handles { get; } = [];

    /// <summary>Answers by request id: a repeat gets the first.</summary>
    public Dictionary<RequestId, object> Answered { get; } = [];

    /// <summary>How often each request took effect. Anything but once is a failure of the client.</summary>
    public Dictionary<RequestId, int> Effects { get; } = [];
    public Dictionary<RequestId, StagedWrite> Staged { get; } = [];
    public Dictionary<RequestId, (byte[] Bytes, ulong Version)> Pinned { get; } = [];
    public TaskCompletionSource Changed { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resize(ulong bytes)
    {
        var resized = new byte[Round(bytes)];
        Bytes.AsSpan(0, Math.Min(Bytes.Length, resized.Length)).CopyTo(resized);
        (Bytes, ContentSize) = (resized, bytes);
    }

    private static int Round(ulong size) => checked((int)((size + Limits.PageBytes - 1) / Limits.PageBytes * Limits.PageBytes));
}

internal sealed class ModelHandle(VmoRights rights)
{
    public VmoRights Rights { get; } = rights;
    public long ExpiresMs { get; set; }
    public ByteRange? Range { get; init; }
    public bool IsConfirmed { get; set; }
    public HandleSecret? Parent { get; init; }
}

internal sealed class StagedWrite(int length)
{
    public byte[] Bytes { get; } = new byte[length];
    public HashSet<int> Pieces { get; } = [];
    public TaskCompletionSource<Messages.WriteReplies> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
