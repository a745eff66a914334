using System.Runtime.InteropServices;

namespace VmoCluster.Chaos.Load;

/// <summary>Where the cells of a VMO lie: single pages, some of four pages that cross from one extent into the next, and, used seldom, one as long as a write may be that is all or nothing.</summary>
internal static class Cells
{
    public const int Count = 7;
    public const ulong VmoBytes = 1024 * Limits.PageBytes;

    private static readonly (ulong Page, int Pages)[] All = [(0, 1), (1, 1), (64, 1), (300, 1), (254, 4), (510, 4), (600, 256)];

    /// <summary>A cell by chance: the last one of 50 times, for what it costs.</summary>
    public static int Any(Random random) => random.Next(50) == 0 ? Count - 1 : random.Next(Count - 1);

    public static ByteRange RangeOf(int cell) => new(All[cell].Page * Limits.PageBytes, (ulong)All[cell].Pages * Limits.PageBytes);

    /// <summary>The cell's pages, each filled with the value.</summary>
    public static byte[] Fill(int cell, ulong value)
    {
        var bytes = new byte[RangeOf(cell).Length];
        MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()).Fill(value);
        return bytes;
    }

    /// <summary>What each page shows; once where all show the same. A page that is not filled with one value shows each of those that are in it.</summary>
    public static ulong[] Shown(ReadOnlySpan<byte> bytes)
    {
        var shown = new List<ulong>();
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        if (words.IndexOfAnyExcept(words[0]) < 0)
            return [words[0]];
        const int pageWords = (int)Limits.PageBytes / sizeof(ulong);
        for (var page = 0; page < words.Length; page += pageWords)
        {
            var here = words.Slice(page, pageWords);
            if (here.IndexOfAnyExcept(here[0]) < 0)
                shown.Add(here[0]);
            else
                shown.AddRange(here.ToArray().Distinct());
        }

        return [.. shown];
    }
}
