using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Handshake;

/// <summary>What a handshake ended with.</summary>
/// <param name="Stream">The connection, under TLS where that was agreed on.</param>
/// <param name="Input">What comes on it, some of it read already.</param>
/// <param name="Disk">The export.</param>
/// <param name="IsStructured">Whether replies come in chunks.</param>
/// <param name="Contexts">What BLOCK_STATUS tells.</param>
internal sealed record Agreement(Stream Stream, NbdInput Input, VmoDisk Disk, bool IsStructured, IReadOnlyList<MetaContext> Contexts);
