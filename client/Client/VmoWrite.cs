namespace VmoCluster.Client;

/// <summary>One of several writes that go together.</summary>
/// <param name="Offset">Where in the VMO, in bytes.</param>
/// <param name="Source">What. It must not change until the call has ended.</param>
public readonly record struct VmoWrite(ulong Offset, ReadOnlyMemory<byte> Source);
