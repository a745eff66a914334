using System.Buffers.Binary;
using System.Diagnostics;
using VmoCluster.Client;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>
/// What the cases are written with. "Tagged n" is a VMO of n pages whose page i begins with the word i + 1, as in the sources of the cases.
/// </summary>
public abstract class Cases(ConformanceNode node)
{
    protected const ulong P = Limits.PageBytes;

    // Long: the machines are shared. It only passes when something is wrong.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    protected VmoClient Client(Door door) => node.Client(door);

    protected Task<Vmo> CreateAsync(Door door, ulong pages, string name = "") => Client(door).CreateAsync(pages * P, new() { Name = name });

    protected Task<Vmo> CreateFixedAsync(Door door, ulong pages) => Client(door).CreateAsync(pages * P, new() { NonResizable = true });

    protected async Task<Vmo> CreateTaggedAsync(Door door, int pages)
    {
        var vmo = await CreateAsync(door, (ulong)pages);
        var bytes = new byte[pages * (int)P];
        for (var page = 0; page < pages; page++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(page * (int)P), page + 1);
        await vmo.WriteAsync(0, bytes);
        return vmo;
    }

    protected static Task<Vmo> LiveAsync(Vmo parent, ulong firstPage, ulong pages) => parent.CloneAsync(VmoKind.Live, firstPage * P, pages * P);

    protected static Task<Vmo> SnapshotAsync(Vmo parent, ulong firstPage, ulong pages) => parent.CloneAsync(VmoKind.Snapshot, firstPage * P, pages * P);

    /// <summary>Writes one word at the beginning of a page.</summary>
    protected static async Task PutAsync(Vmo vmo, ulong page, int word)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, word);
        await vmo.WriteAsync(page * P, bytes);
    }

    /// <summary>The word at the beginning of a page.</summary>
    protected static async Task<int> WordAsync(Vmo vmo, ulong page)
    {
        var bytes = new byte[4];
        await vmo.ReadAsync(page * P, bytes);
        return BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }

    protected static Task FillAsync(Vmo vmo, ulong offset, ulong length, byte with)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, with);
        return vmo.WriteAsync(offset, bytes);
    }

    /// <summary>The VMO has just these pages, each with its word and nothing but zeros behind it.</summary>
    protected static async Task ShowsAsync(Vmo vmo, params int[] words)
    {
        var bytes = await AllAsync(vmo);
        var found = Enumerable.Range(0, bytes.Length / (int)P).Select(page => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(page * (int)P))).ToArray();
        Assert.Equal(words, found);
        for (var page = 0; page < found.Length; page++)
            Assert.Equal(-1, bytes.AsSpan((page * (int)P) + 4, (int)P - 4).IndexOfAnyExcept((byte)0));
    }

    /// <summary>The range has this byte everywhere.</summary>
    protected static async Task IsFilledAsync(Vmo vmo, ulong offset, ulong length, byte with)
    {
        var bytes = new byte[length];
        await vmo.ReadAsync(offset, bytes);
        Assert.Equal(-1, bytes.AsSpan().IndexOfAnyExcept(with));
    }

    protected static async Task<byte[]> AllAsync(Vmo vmo)
    {
        var bytes = new byte[await vmo.GetSizeAsync()];
        await vmo.ReadAsync(0, bytes);
        return bytes;
    }

    protected static async Task RefusedAsync(VmoStatus status, Func<Task> call) => Assert.Equal(status, (await Assert.ThrowsAsync<VmoException>(call)).Status);

    protected static async Task CloseAsync(params Vmo[] vmos)
    {
        foreach (var vmo in vmos)
            await vmo.CloseAsync();
    }

    protected static async Task<ulong> ChargedAsync(params Vmo[] vmos)
    {
        var sum = 0ul;
        foreach (var vmo in vmos)
            sum += (await vmo.GetInfoAsync()).ChargedBytes;
        return sum;
    }

    /// <summary>
    /// Where upstream counts the pages that somebody can still see, we may store more for a while: pages of a frozen layer which all have
    /// replaced. The first number is upstream's, the second all that was ever written. Asked again for a while: the share of a VMO that was
    /// just closed passes to the others behind the close's back.
    /// </summary>
    protected static async Task ChargedPagesAsync(ulong least, ulong most, params Vmo[] vmos)
    {
        var charged = await ChargedAsync(vmos);
        for (var began = Stopwatch.GetTimestamp(); (charged < least * P || charged > most * P) && Stopwatch.GetElapsedTime(began) < Patience;)
        {
            await Task.Delay(20);
            charged = await ChargedAsync(vmos);
        }

        Assert.InRange(charged, least * P, most * P);
    }

    protected static Task ChargedPagesAsync(ulong pages, params Vmo[] vmos) => ChargedPagesAsync(pages, pages, vmos);

    protected static async Task<ulong> CommittedPagesAsync(Vmo vmo) => (await vmo.GetInfoAsync()).CommittedBytes / P;

    /// <summary>Hears soon that the VMO has no child.</summary>
    protected static async Task BecomesChildlessAsync(Vmo vmo)
    {
        var wait = await vmo.WaitAsync(VmoSignals.ZeroChildren, Patience);
        Assert.False(wait.IsTimedOut);
        Assert.Equal(VmoSignals.ZeroChildren, wait.Observed);
        Assert.Equal(0, (await vmo.GetInfoAsync()).ChildCount);
    }

    protected static async Task HasChildrenAsync(Vmo vmo, int count)
    {
        Assert.True((await vmo.WaitAsync(VmoSignals.ZeroChildren, TimeSpan.Zero)).IsTimedOut);
        Assert.Equal(count, (await vmo.GetInfoAsync()).ChildCount);
    }

    /// <summary>Every order of so many things.</summary>
    protected static IEnumerable<int[]> Orders(int count) => count == 0
        ? [[]]
        : Orders(count - 1).SelectMany(order => Enumerable.Range(0, count), (order, at) => (int[])[.. order[..at], count - 1, .. order[at..]]);
}
