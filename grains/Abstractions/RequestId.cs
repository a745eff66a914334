using System.Globalization;

namespace VmoCluster;

/// <summary>
/// The name of one call, the same through all its retries: who asks, and a number that grows with time. The upper 42 bits of
/// <see cref="Sequence"/> are the Unix milliseconds at which the call was first made, so that a request can be told to be too old to
/// be known; the lower 22 bits count. A client's sequences rise strictly.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.RequestId")]
public readonly record struct RequestId([property: Id(0)] ulong Client, [property: Id(1)] ulong Sequence)
{
    /// <summary>How many bits of a sequence count within a millisecond.</summary>
    public const int CountBits = 22;

    /// <summary>No id: the call is not known again when it is repeated.</summary>
    public static RequestId None => default;

    public bool IsNone => Client == 0 && Sequence == 0;

    /// <summary>Unix milliseconds at which the call was first made, by its client's clock.</summary>
    public long IssuedMs => (long)(Sequence >> CountBits);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Client:x16}-{Sequence:x16}");
}
