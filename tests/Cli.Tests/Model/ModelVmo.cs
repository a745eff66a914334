namespace VmoCluster.Cli.Tests.Model;

/// <summary>A VMO as stupid as can be: a dictionary of pages.</summary>
internal sealed class ModelVmo
{
    public ulong Size { get; set; }
    public ulong ContentSize { get; set; }
    public bool IsFixed { get; init; }
    public VmoKind Kind { get; init; }
    public Koid Parent { get; init; }
    public ulong Offset { get; init; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; init; } = [];
    public VmoSignals Signals { get; set; } = VmoSignals.ZeroChildren;
    public Dictionary<HandleSecret, ModelHandle> Handles { get; } = [];

    /// <summary>The pages that are present, by number; one of zeros is committed.</summary>
    public SortedDictionary<ulong, byte[]> Pages { get; } = [];

    public ulong StoredBytes => (ulong)Pages.Values.Count(IsData) * Limits.PageBytes;

    public static bool IsData(byte[] page) => page.AsSpan().ContainsAnyExcept((byte)0);

    public byte[] Read(ulong offset, int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length;)
        {
            var at = (int)((offset + (ulong)i) % Limits.PageBytes);
            var some = Math.Min(Limits.PageBytes - at, length - i);
            if (Pages.TryGetValue((offset + (ulong)i) / Limits.PageBytes, out var page))
                page.AsSpan(at, some).CopyTo(bytes.AsSpan(i));
            i += some;
        }

        return bytes;
    }

    public void Write(ulong offset, ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length;)
        {
            var number = (offset + (ulong)i) / Limits.PageBytes;
            var at = (int)((offset + (ulong)i) % Limits.PageBytes);
            var some = Math.Min(Limits.PageBytes - at, bytes.Length - i);
            if (!Pages.TryGetValue(number, out var page))
                Pages[number] = page = new byte[Limits.PageBytes];
            bytes.Slice(i, some).CopyTo(page.AsSpan(at));
            if (!IsData(page))
                Pages.Remove(number);
            i += some;
        }
    }

    public void Resize(ulong size)
    {
        foreach (var number in Pages.Keys.Where(n => n * Limits.PageBytes >= size).ToArray())
            Pages.Remove(number);
        (Size, ContentSize) = (size, size);
    }
}

/// <summary>What a secret opens.</summary>
internal sealed record ModelHandle(VmoRights Rights, long ExpiresMs, ByteRange? Range, HandleSecret Parent);
