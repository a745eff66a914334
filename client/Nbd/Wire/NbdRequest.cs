using System.Buffers.Binary;

namespace VmoCluster.NbdDoor.Wire;

/// <summary>A request's header.</summary>
/// <param name="Flags">How.</param>
/// <param name="Command">What.</param>
/// <param name="Cookie">What its reply is known by; the client's own.</param>
/// <param name="Offset">Where, in bytes.</param>
/// <param name="Length">How many bytes; of a write they follow.</param>
internal readonly record struct NbdRequest(NbdCommandFlags Flags, NbdCommand Command, ulong Cookie, ulong Offset, uint Length)
{
    /// <summary>Reads one. Throws <see cref="ProtocolException"/> when it is none: where the next begins nobody knows then.</summary>
    public static NbdRequest Read(ReadOnlySpan<byte> head)
    {
        var magic = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (magic != NbdNumbers.RequestMagic)
            throw new ProtocolException($"a request begins with {magic:x}");
        return new(
            (NbdCommandFlags)BinaryPrimitives.ReadUInt16BigEndian(head[4..]), (NbdCommand)BinaryPrimitives.ReadUInt16BigEndian(head[6..]),
            BinaryPrimitives.ReadUInt64BigEndian(head[8..]), BinaryPrimitives.ReadUInt64BigEndian(head[16..]), BinaryPrimitives.ReadUInt32BigEndian(head[24..]));
    }
}
