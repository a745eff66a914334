namespace VmoCluster.Client;

/// <summary>One of the things that <see cref="VmoClient.WaitManyAsync"/> waits for.</summary>
/// <param name="Handle">A handle with WAIT.</param>
/// <param name="Mask">Any of these bits.</param>
public readonly record struct WaitItem(VmoHandle Handle, VmoSignals Mask);

/// <summary>How a wait ended.</summary>
/// <param name="IsTimedOut">No bit of the mask was seen in time.</param>
/// <param name="Observed">All signals as they were when the wait ended.</param>
public readonly record struct WaitResult(bool IsTimedOut, VmoSignals Observed);

/// <summary>How a wait for several ended.</summary>
/// <param name="IsTimedOut">No item was satisfied in time.</param>
/// <param name="Observed">The signals of each item, in order, observed for all of them in either case.</param>
public sealed record WaitManyResult(bool IsTimedOut, IReadOnlyList<VmoSignals> Observed);
