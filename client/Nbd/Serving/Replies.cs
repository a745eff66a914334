using System.Buffers.Binary;
using System.Text;
using VmoCluster.NbdDoor.Handshake;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>The answers to one client's requests, as simple or as structured replies. Each is counted, and each tells once when it was sent, or never will be.</summary>
internal sealed class Replies(NbdOutput output, bool isStructured)
{
    private const int WhyLengthMost = 1000;

    /// <summary>A read's bytes, all of them.</summary>
    public void Show(NbdRequest request, ReadOnlyMemory<byte> payload, Action sent)
    {
        if (isStructured)
            ShowPiece(request, request.Offset, payload, isLast: true, sent);
        else
            output.Send(new(ReplyHead.Simple(request, NbdError.None), payload, sent));
        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    /// <summary>Some of a read's bytes; whoever sends the last counts.</summary>
    public void ShowPiece(NbdRequest request, ulong offset, ReadOnlyMemory<byte> payload, bool isLast, Action sent)
    {
        var head = ReplyHead.Chunk(request, NbdChunk.OffsetData, 8 + payload.Length, isLast, 8);
        BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(NbdNumbers.ChunkBytes), offset);
        output.Send(new(head, payload, sent));
    }

    /// <summary>It is done, and nothing is to be shown.</summary>
    public void Done(NbdRequest request, Action sent)
    {
        var head = isStructured ? ReplyHead.Chunk(request, NbdChunk.None, 0, isLast: true) : ReplyHead.Simple(request, NbdError.None);
        output.Send(new(head, default, sent));
        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    /// <summary>What lies where, for each context that was agreed on, in their order.</summary>
    public void Tell(NbdRequest request, IReadOnlyList<(MetaContext Context, List<ToldExtent> Extents)> told, Action sent)
    {
        for (var i = 0; i < told.Count; i++)
        {
            var ((context, extents), isLast) = (told[i], i == told.Count - 1);
            var head = ReplyHead.Chunk(request, NbdChunk.BlockStatus, 4 + (8 * extents.Count), isLast, 4 + (8 * extents.Count));
            var content = head.AsSpan(NbdNumbers.ChunkBytes);
            BinaryPrimitives.WriteUInt32BigEndian(content, context.Id);
            for (var at = 0; at < extents.Count; at++)
            {
                BinaryPrimitives.WriteUInt32BigEndian(content[(4 + (8 * at))..], extents[at].Length);
                BinaryPrimitives.WriteUInt32BigEndian(content[(8 + (8 * at))..], extents[at].Status);
            }

            output.Send(new(head, default, isLast ? sent : () => { }));
        }

        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    /// <summary>It has failed, and why: that is told where replies are structured.</summary>
    public void Fail(NbdRequest request, NbdError error, string why, Action sent)
    {
        NbdTelemetry.Count(request.Command, error);
        if (!isStructured)
        {
            output.Send(new(ReplyHead.Simple(request, error), default, sent));
            return;
        }

        var text = Encoding.UTF8.GetBytes(why.Length <= WhyLengthMost ? why : why[..WhyLengthMost]);
        var head = ReplyHead.Chunk(request, NbdChunk.Error, 6 + text.Length, isLast: true, 6 + text.Length);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(NbdNumbers.ChunkBytes), (uint)error);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(NbdNumbers.ChunkBytes + 4), (ushort)text.Length);
        text.CopyTo(head.AsSpan(NbdNumbers.ChunkBytes + 6));
        output.Send(new(head, default, sent));
    }
}
