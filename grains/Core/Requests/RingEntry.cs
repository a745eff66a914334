namespace VmoCluster.Core.Requests;

/// <summary>An answered request: enough to give its answer again.</summary>
/// <param name="Request">Its id.</param>
/// <param name="Digest">A hash of its body: the same id with another body is a caller's error.</param>
/// <param name="Result">What the answer says beside Ok: the rights of a handle made, the koid of the first child.</param>
public readonly record struct RingEntry(RequestId Request, ulong Digest, ulong Result);
