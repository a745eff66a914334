namespace VmoCluster;

/// <summary>How a call ended, as a value: data paths return it, only the client's edge throws it.</summary>
/// <param name="Status">The status.</param>
/// <param name="Message">What stood against it, with numbers and no secret; null when Ok.</param>
/// <param name="RetryAfterMs">When to come back, in milliseconds; 0 where nothing is known.</param>
[GenerateSerializer, Immutable, Alias("vmo.Outcome")]
public readonly record struct Outcome(
    [property: Id(0)] VmoStatus Status, [property: Id(1)] string? Message = null, [property: Id(2)] int RetryAfterMs = 0)
{
    public static Outcome Ok => default;

    public bool IsOk => Status == VmoStatus.Ok;

    /// <summary>Throws unless Ok.</summary>
    public void ThrowIfFailed()
    {
        if (!IsOk)
            throw ToException();
    }

    /// <summary>The exception for it.</summary>
    public VmoException ToException() =>
        new(Status, Message ?? Status.ToZxName(), RetryAfterMs > 0 ? TimeSpan.FromMilliseconds(RetryAfterMs) : null);

    /// <summary>The outcome an exception carries.</summary>
    public static Outcome Of(VmoException exception) =>
        new(exception.Status, exception.Message, (int)(exception.RetryAfter?.TotalMilliseconds ?? 0));
}
