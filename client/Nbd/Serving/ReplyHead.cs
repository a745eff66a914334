using System.Buffers.Binary;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>What stands before a reply's content (NBD protocol, "Simple reply message" and "Structured reply chunk message").</summary>
internal static class ReplyHead
{
    /// <summary>A simple reply's: all of it but a read's bytes.</summary>
    public static byte[] Simple(NbdRequest request, NbdError error)
    {
        var head = new byte[NbdNumbers.SimpleReplyBytes];
        BinaryPrimitives.WriteUInt32BigEndian(head, NbdNumbers.SimpleReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(4), (uint)error);
        BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(8), request.Cookie);
        return head;
    }

    /// <summary>A chunk's of a structured reply, with room behind it for so much of its content.</summary>
    public static byte[] Chunk(NbdRequest request, NbdChunk type, int length, bool isLast, int room = 0)
    {
        var head = new byte[NbdNumbers.ChunkBytes + room];
        BinaryPrimitives.WriteUInt32BigEndian(head, NbdNumbers.StructuredReplyMagic);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(4), isLast ? NbdNumbers.ChunkDone : (ushort)0);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(6), (ushort)type);
        BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(8), request.Cookie);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(16), (uint)length);
        return head;
    }
}
