namespace VmoCluster.Core.Store;

/// <summary>
/// What frees memory by what an owner has seen: it must own the VMO still, and the store must have everything it has acknowledged to this owner. After a
/// failover that lost commits it has not, and its slots may name what those commits had freed.
/// </summary>
/// <param name="Vmo">The VMO.</param>
/// <param name="Owner">Who owns it.</param>
/// <param name="RecordSeq">The record's seq, as acknowledged.</param>
/// <param name="Top">The top layer.</param>
/// <param name="TopSeq">Its seq, as acknowledged.</param>
public sealed record StoreFence(Koid Vmo, Owner Owner, ulong RecordSeq, LayerId Top, ulong TopSeq);
