namespace VmoCluster.Cli.Transfer;

/// <summary>Up to 1 MiB under way: one call's worth, and one commit's.</summary>
/// <param name="Offset">Where it begins in the VMO.</param>
/// <param name="Bytes">Its bytes, in a buffer that the window takes back.</param>
internal readonly record struct Piece(ulong Offset, Memory<byte> Bytes);
