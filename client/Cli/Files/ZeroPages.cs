namespace VmoCluster.Cli.Files;

/// <summary>Finding what is worth sending: zeros store nothing, so they are not sent.</summary>
internal static class ZeroPages
{
    // A gap of zeros shorter than this is cheaper sent (and dropped by the VMO) than a second call.
    private const int GapBytes = 64 << 10;

    /// <summary>
    /// The next stretch of the bytes at or after <paramref name="from"/> that begins and ends with a page not all zero; false if there is none. The
    /// bytes begin at a page; the last page may be short.
    /// </summary>
    public static bool TryNextStretch(ReadOnlySpan<byte> bytes, int from, out Range stretch)
    {
        stretch = default;
        var begin = NextPage(bytes, from, isZero: false);
        if (begin >= bytes.Length)
            return false;
        var end = begin;
        for (var at = begin; at < bytes.Length;)
        {
            end = NextPage(bytes, at, isZero: true);
            at = NextPage(bytes, end, isZero: false);
            if (at - end >= GapBytes)
                break;
        }

        stretch = begin..end;
        return true;
    }

    /// <summary>How many bytes of these lie in pages not all zero.</summary>
    public static int CountData(ReadOnlySpan<byte> bytes)
    {
        var count = 0;
        for (var at = 0; at < bytes.Length; at += Limits.PageBytes)
        {
            var page = Page(bytes, at);
            if (page.ContainsAnyExcept((byte)0))
                count += page.Length;
        }

        return count;
    }

    // Where the first page of that sort begins; the bytes' length if there is none.
    private static int NextPage(ReadOnlySpan<byte> bytes, int at, bool isZero)
    {
        while (at < bytes.Length && Page(bytes, at).ContainsAnyExcept((byte)0) == isZero)
            at += Limits.PageBytes;
        return Math.Min(at, bytes.Length);
    }

    private static ReadOnlySpan<byte> Page(ReadOnlySpan<byte> bytes, int at) => bytes.Slice(at, Math.Min(Limits.PageBytes, bytes.Length - at));
}
