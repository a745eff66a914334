namespace VmoCluster;

/// <summary>
/// A call was refused or failed. The message carries the numbers; <see cref="IsRetryable"/> says whether the same call can help.
/// </summary>
public sealed class VmoException : Exception
{
    /// <param name="status">Anything but <see cref="VmoStatus.Ok"/>.</param>
    /// <param name="message">What was asked and what stood against it, with numbers; no secret.</param>
    /// <param name="retryAfter">When to come back, where the refusal knows.</param>
    /// <param name="inner">What was underneath.</param>
    public VmoException(VmoStatus status, string message, TimeSpan? retryAfter = null, Exception? inner = null)
        : base(message, inner)
    {
        Status = status;
        RetryAfter = retryAfter;
    }

    /// <summary>How the call ended.</summary>
    public VmoStatus Status { get; }

    /// <summary>When to come back; null where nothing is known.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>Whether the same call, under the same request id, can help.</summary>
    public bool IsRetryable => Status.IsRetryable();
}
