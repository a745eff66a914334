using VmoCluster.Client;

namespace VmoCluster.Nbd.Tests;

/// <summary>A clone of a clone and so on of a root, each of which has written a page of its own.</summary>
/// <param name="Vmo">The last.</param>
/// <param name="Right">What it shows.</param>
/// <param name="Line">The root's number, and each one's below it.</param>
/// <param name="Writers">Of each page, which of the line has written it last; -1: none.</param>
internal sealed record Chain(Vmo Vmo, byte[] Right, IReadOnlyList<Koid> Line, IReadOnlyList<int> Writers)
{
    private const int Page = Limits.PageBytes;

    /// <summary>One so deep and of so many pages, the first of which the root has written.</summary>
    public static async Task<Chain> MakeAsync(VmoClient client, VmoKind kind, int depth, int pages, int rootPages)
    {
        var (right, writers) = (new byte[pages * Page], Enumerable.Range(0, pages).Select(page => page < rootPages ? 0 : -1).ToArray());
        for (var i = 0; i < rootPages * Page; i++)
            right[i] = (byte)((i / Page) + (i * 7));
        var vmo = await client.CreateAsync((ulong)right.Length);
        await vmo.WriteAsync(0, right.AsMemory(0, rootPages * Page));
        var line = new List<Koid> { vmo.Koid };
        for (var level = 1; level <= depth; level++)
        {
            vmo = await vmo.CloneAsync(kind);
            var page = level * 37 % pages;
            right.AsSpan(page * Page, Page).Fill((byte)(1 + (level % 255)));
            await vmo.WriteAsync((ulong)(page * Page), right.AsMemory(page * Page, Page));
            writers[page] = level;
            line.Add(vmo.Koid);
        }

        return new(vmo, right, line, writers);
    }

    /// <summary>Stretches of one status, by what is said of a page's writer.</summary>
    public List<(ulong Start, ulong Length, uint Status)> Map(Func<int, uint> statusOf)
    {
        var map = new List<(ulong Start, ulong Length, uint Status)>();
        foreach (var status in Writers.Select(statusOf))
        {
            if (map is [.., var last] && last.Status == status)
                map[^1] = last with { Length = last.Length + Page };
            else
                map.Add((map.Count == 0 ? 0 : map[^1].Start + map[^1].Length, Page, status));
        }

        return map;
    }
}
