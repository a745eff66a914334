using System.Globalization;
using System.Text;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Crash;

/// <summary>
/// The store is killed in the middle of commits that span four extents (P3, P4): what was acknowledged is there, and of each commit all
/// or nothing.
/// </summary>
public abstract class CrashConformance(ICrashingStore process) : IAsyncLifetime
{
    private const int Writers = 4;
    private const int Leaves = 4 * Limits.ExtentLeaves;
    private const int BlobsPerCommit = 3;

    private static readonly Owner Owner = new(1, 1, 1);

    public Task InitializeAsync() => process.RestartAsync();

    public async Task DisposeAsync() => await process.DisposeAsync();

    [Fact]
    public async Task A_kill_in_the_middle_of_commits_tears_none_and_loses_none_that_was_acknowledged()
    {
        var vmos = Enumerable.Range(1, Writers).Select(i => new Koid((ulong)i)).ToArray();
        await CreateAsync(vmos);
        for (var round = 0; round < process.Rounds; round++)
        {
            var (acknowledged, tried) = await KillUnderWritesAsync(vmos);
            await process.RestartAsync();
            await using var store = await OpenAsync();
            for (var i = 0; i < vmos.Length; i++)
                await CheckAsync(store.Pages, vmos[i], acknowledged[i], tried[i]);
        }
    }

    private Task<RedisStore> OpenAsync() => StoreBackend.OpenAsync(new() { Configuration = process.Configuration, Embedded = process is CrashingGarnet });

    private async Task CreateAsync(Koid[] vmos)
    {
        await using var store = await OpenAsync();
        foreach (var vmo in vmos)
            Assert.True(await store.Pages.CreateAsync(vmo, Owner, new(vmo, 1), [Field("size", 1)], [Field("meta", 1)], isPromised: false, CancellationToken.None));
    }

    private async Task<(ulong[] Acknowledged, ulong[] Tried)> KillUnderWritesAsync(Koid[] vmos)
    {
        await using var store = await OpenAsync();
        var (acknowledged, tried) = (new ulong[vmos.Length], new ulong[vmos.Length]);
        var enough = new TaskCompletionSource();
        var count = 0;
        var isKilled = false;
        var writers = vmos.Select((vmo, i) => WriteAsync(vmo, i)).ToArray();
        await enough.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Volatile.Write(ref isKilled, true);
        await process.KillAsync();
        await Task.WhenAll(writers);
        return (acknowledged, tried);

        async Task WriteAsync(Koid vmo, int writer)
        {
            var hash = (await store.Pages.LoadLayerAsync(new(vmo, 1), [Encoding.UTF8.GetBytes("size")], CancellationToken.None))!;
            var (seq, value) = (hash.Seq, NumberOf(hash.Fields[0]));
            acknowledged[writer] = value;
            while (true)
            {
                tried[writer] = value + 1;
                var outcome = await store.Pages.CommitAsync(Commit(vmo, seq, value + 1));
                if (outcome == CommitOutcome.Unknown)
                {
                    // The kill, or only a machine too busy to answer within a second.
                    if (await SettleAsync(vmo, seq) is not { } settled)
                        return;
                    outcome = settled.HasTakenEffect ? CommitOutcome.Applied : CommitOutcome.Stale;
                    seq = settled.Seq - 1;
                }

                if (outcome == CommitOutcome.Refused)
                {
                    // The kill is known already: nothing is said any more to what answers.
                    if (Volatile.Read(ref isKilled))
                        return;
                    continue;
                }

                if (outcome == CommitOutcome.Applied)
                {
                    acknowledged[writer] = ++value;
                    if (process.IsWorthKilling(Interlocked.Increment(ref count)))
                        enough.TrySetResult();
                }
                else
                {
                    Assert.Equal(CommitOutcome.Stale, outcome);
                }

                seq++;
            }
        }

        async Task<Settlement?> SettleAsync(Koid vmo, ulong seq)
        {
            while (!Volatile.Read(ref isKilled))
            {
                var settled = await store.Pages.SettleAsync(vmo, Owner, CommitTarget.Layer, new(vmo, 1), seq);
                if (settled.Outcome == CommitOutcome.Applied)
                    return settled;
            }

            return null;
        }
    }

    private static StoreCommit Commit(Koid vmo, ulong seq, ulong value) => new()
    {
        Vmo = vmo, Owner = Owner, Target = CommitTarget.Layer, Layer = new(vmo, 1), Seq = seq,
        Fields = [Field("size", value), .. Enumerable.Range(0, Leaves).Select(leaf => Field(Leaf(leaf), value))],
        Blobs = [.. Enumerable.Range(0, BlobsPerCommit).Select(i => new BlobWrite(BlobOf(value, i), [BlobBytesOf(vmo, value)]))],
    };

    private static async Task CheckAsync(IPageStore pages, Koid vmo, ulong acknowledged, ulong tried)
    {
        var layer = new LayerId(vmo, 1);
        var hash = await pages.LoadLayerAsync(
            layer, [Encoding.UTF8.GetBytes("size"), .. Enumerable.Range(0, Leaves).Select(leaf => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(Leaf(leaf)))], CancellationToken.None);

        Assert.NotNull(hash);
        var value = NumberOf(hash.Fields[0]);
        Assert.InRange(value, acknowledged, tried);
        Assert.InRange(hash.Seq, value, ulong.MaxValue);
        Assert.Equal(value == 1 ? 1 : Leaves + 1, hash.Fields.Count);
        Assert.All(hash.Fields, field => Assert.Equal(value, NumberOf(field)));
        for (var written = 2UL; written <= value; written++)
        {
            var expected = BlobBytesOf(vmo, written);
            var reads = Enumerable.Range(0, BlobsPerCommit).Select(i => new BlobRead(layer, BlobOf(written, i), 0, new byte[expected.Length])).ToArray();
            Assert.All(await pages.ReadBlobsAsync(reads, CancellationToken.None), Assert.True);
            Assert.All(reads, read => Assert.Equal(expected, read.Destination.ToArray()));
        }
    }

    private static StoreField Field(string name, ulong value) =>
        new(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(value.ToString(CultureInfo.InvariantCulture)));

    private static ulong NumberOf(StoreField field) => ulong.Parse(Encoding.UTF8.GetString(field.Value.Span), CultureInfo.InvariantCulture);

    private static string Leaf(int leaf) => string.Create(CultureInfo.InvariantCulture, $"l{leaf:d8}");

    private static BlobId BlobOf(ulong value, int i) => new(1, ((uint)value * BlobsPerCommit) + (uint)i);

    private static byte[] BlobBytesOf(Koid vmo, ulong value)
    {
        var bytes = new byte[5 * Limits.PageBytes];
        new Random((int)((vmo.Value * 1_000_000) + value)).NextBytes(bytes);
        return bytes;
    }
}

public sealed class RedisCrash() : CrashConformance(new CrashingRedis());

public sealed class GarnetCrash() : CrashConformance(new CrashingGarnet(logMiBMax: null));

public sealed class GarnetCheckpointCrash() : CrashConformance(new CrashingGarnet(logMiBMax: 16));
