namespace VmoCluster.Messages;

/// <summary>What every call on a VMO carries.</summary>
/// <param name="Secret">The handle's secret; the koid is the grain's key.</param>
/// <param name="Request">The call's name through all its retries; None for calls that change nothing.</param>
/// <param name="AckedBelow">All of this client's requests with a lower sequence have been answered: the store may forget them.</param>
/// <param name="DeadlineMs">Milliseconds left until nobody waits for the answer, 1 to <see cref="Limits.DeadlineMaxMs"/>.</param>
/// <param name="Caller">Who calls.</param>
[GenerateSerializer, Immutable, Alias("vmo.Head")]
public readonly record struct CallHead(
    [property: Id(0)] HandleSecret Secret,
    [property: Id(1)] RequestId Request,
    [property: Id(2)] ulong AckedBelow,
    [property: Id(3)] int DeadlineMs,
    [property: Id(4)] Caller Caller);
