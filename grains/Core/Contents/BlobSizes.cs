namespace VmoCluster.Core.Contents;

/// <summary>
/// How many pages a blob should hold. Redis' allocator rounds a value up to a class of memory; the sizes here lie just below one. Bytes taken
/// over bytes of pages, by the classes of jemalloc: 63 pages 1.016, 31 1.03, 15 1.07, 7 1.14, 1 1.25; a blob of 16 would take 1.25.
/// </summary>
public static class BlobSizes
{
    /// <summary>Blobs below this many pages are put together in quiet times.</summary>
    public const int SmallPages = 23;

    private static ReadOnlySpan<byte> Good => [63, 55, 47, 39, 31, 27, 23, 19, 15, 13, 11, 9, 7, 6, 5, 3, 2, 1];

    /// <summary>Pages of the next blob when so many are left to store.</summary>
    public static int Take(int left)
    {
        foreach (var size in Good)
        {
            if (size <= left)
                return size;
        }

        return 0;
    }

    /// <summary>Blobs that so many pages make.</summary>
    public static int Count(int pages)
    {
        var count = 0;
        for (; pages > 0; pages -= Take(pages))
            count++;
        return count;
    }
}
