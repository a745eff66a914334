using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Contents;

/// <summary>
/// The bytes of a blob: a 16-byte header (magic, layout, page count, nonce, counter, CRC-32C of what stands before it), the pages, then
/// their indices (8 bytes each). A reader of one page asks for just its bytes.
/// </summary>
public static class BlobLayout
{
    public const int HeaderBytes = 16;

    /// <summary>Where a page's bytes begin.</summary>
    public static int OffsetOf(int index) => HeaderBytes + (index * Limits.PageBytes);

    /// <summary>Bytes of a blob of so many pages.</summary>
    public static int BytesOf(int pages) => HeaderBytes + (pages * (Limits.PageBytes + 8));

    /// <summary>Puts a blob together out of its pages, none of which is copied.</summary>
    public static BlobWrite Compose(BlobId id, ReadOnlySpan<(ulong Page, ReadOnlyMemory<byte> Bytes)> pages)
    {
        var pieces = new List<ReadOnlyMemory<byte>>(pages.Length + 2) { Header(id, pages.Length) };
        var trailer = new byte[pages.Length * 8];
        for (var i = 0; i < pages.Length; i++)
        {
            Append(pieces, pages[i].Bytes);
            BinaryPrimitives.WriteUInt64LittleEndian(trailer.AsSpan(i * 8), pages[i].Page);
        }

        pieces.Add(trailer);
        return new(id, pieces);
    }

    /// <summary>Puts pages, rising, into blobs of good sizes: each with the slots that name its pages.</summary>
    /// <param name="pages">Index and bytes of each.</param>
    /// <param name="next">Names the next blob.</param>
    /// <param name="version">The seq of the commit.</param>
    public static List<(BlobWrite Blob, (ulong Page, Slot Slot)[] Slots)> Pack(List<(ulong Page, ReadOnlyMemory<byte> Bytes)> pages, Func<BlobId> next, ulong version)
    {
        var packed = new List<(BlobWrite, (ulong, Slot)[])>();
        for (var at = 0; at < pages.Count;)
        {
            var count = BlobSizes.Take(pages.Count - at);
            var (id, some) = (next(), pages.GetRange(at, count));
            var slots = new (ulong, Slot)[count];
            for (var i = 0; i < count; i++)
                slots[i] = (some[i].Page, new(SlotState.Data, version, id, (byte)i, (byte)count, Checksum(some[i].Bytes.Span)));
            packed.Add((Compose(id, CollectionsMarshal.AsSpan(some)), slots));
            at += count;
        }

        return packed;
    }

    /// <summary>The indices of a blob's pages, out of its trailer.</summary>
    public static ulong[] ReadTrailer(ReadOnlySpan<byte> trailer)
    {
        var pages = new ulong[trailer.Length / 8];
        for (var i = 0; i < pages.Length; i++)
            pages[i] = BinaryPrimitives.ReadUInt64LittleEndian(trailer[(i * 8)..]);
        return pages;
    }

    /// <summary>CRC-32C, as stored beside each slot.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            crc = BitOperations.Crc32C(crc, word);
        foreach (var b in bytes[(words.Length * 8)..])
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    private static byte[] Header(BlobId id, int pages)
    {
        var header = new byte[HeaderBytes];
        header[0] = (byte)'V';
        header[1] = (byte)'B';
        header[2] = 1;
        header[3] = (byte)pages;
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), id.Nonce);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), id.Counter);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), Checksum(header.AsSpan(0, 12)));
        return header;
    }

    // Pages of one write lie side by side in its message: joined again here, they travel as one piece.
    private static void Append(List<ReadOnlyMemory<byte>> pieces, ReadOnlyMemory<byte> bytes)
    {
        if (MemoryMarshal.TryGetArray(pieces[^1], out var last) && MemoryMarshal.TryGetArray(bytes, out var next)
            && ReferenceEquals(last.Array, next.Array) && last.Offset + last.Count == next.Offset)
            pieces[^1] = new ReadOnlyMemory<byte>(last.Array, last.Offset, last.Count + next.Count);
        else
            pieces.Add(bytes);
    }
}
