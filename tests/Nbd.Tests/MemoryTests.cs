using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>What disks have a silo keep in memory: what was asked for, and no more than there is room for.</summary>
public sealed class MemoryTests : IDisposable
{
    private const int Page = Limits.PageBytes;
    private const int Mebi = 1 << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-memory-").FullName;

    private string Socket => Path.Combine(_folder, "nbd");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // One that is started again has no page in memory.
    [Fact]
    public async Task What_was_cached_is_read_from_memory()
    {
        const uint Bytes = 4 * Mebi;
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", $"unix:{Socket}"] });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var (vmo, right) = (await client.CreateAsync(Bytes), new byte[Bytes]);
        new Random(4).NextBytes(right);
        await vmo.WriteAsync(0, right);
        await silo.RestartAsync();
        using var disk = await RawClient.OpenAsync(Socket, vmo.Handle.Reveal());

        var missed = await SiloFigures.SumAsync(silo, "vmo_cache_misses_total");
        await disk.SendAsync(RawClient.Request(NbdCommand.Cache, 0, Bytes));
        Assert.Equal(NbdError.None, (await disk.ReceiveSimpleAsync()).Error);
        // The figures of a moment ago may be shown again; those of afterwards are complete.
        await Eventually.UntilAsync("what was cached had not been in memory", async () => await SiloFigures.SumAsync(silo, "vmo_cache_misses_total") >= missed + (Bytes / Page));
        missed = await SiloFigures.SumAsync(silo, "vmo_cache_misses_total");
        var found = await SiloFigures.SumAsync(silo, "vmo_cache_hits_total");

        await disk.SendAsync(RawClient.Request(NbdCommand.Read, 0, Bytes));
        Assert.Equal(NbdError.None, (await disk.ReceiveSimpleAsync()).Error);
        var shown = await disk.ReceiveAsync((int)Bytes);
        Assert.True(right.AsSpan().SequenceEqual(shown), "other bytes are read");
        await Eventually.UntilAsync("what is read is found in memory", async () => await SiloFigures.SumAsync(silo, "vmo_cache_hits_total") >= found + (Bytes / Page));
        Assert.Equal(missed, await SiloFigures.SumAsync(silo, "vmo_cache_misses_total"));
    }

    // Without a bound, what they ask for would be 2 GiB of pieces under way, and 64 GiB in all.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_asks_for_much_and_reads_nothing_costs_little_memory_and_nobody_elses_service(bool isSecret)
    {
        const uint Most = 32 * Mebi, Small = 64 << 10;
        const long GrowthMost = 512L * Mebi;
        var authority = TestAuthority.Issue(_folder, "slow");
        string[] secret = isSecret ? ["--nbd-certificate", Path.Combine(authority, "server.pem"), "--nbd-key", Path.Combine(authority, "server.key")] : [];
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", $"unix:{Socket}", .. secret] });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var (vmo, right) = (await client.CreateAsync(Most), new byte[Most]);
        new Random(6).NextBytes(right);
        await vmo.WriteAsync(0, right);
        Task<RawClient> OpenAsync() => RawClient.OpenAsync(Socket, vmo.Handle.Reveal(), isStructured: true, isSecret ? authority : null);
        using var other = await OpenAsync();
        await ReadAllAsync();

        var before = Resident();
        var slow = new List<RawClient>();
        try
        {
            for (var i = 0; i < 8; i++)
            {
                slow.Add(await OpenAsync());
                await slow[i].SendAsync([.. Enumerable.Range(0, 256).Select(cookie => RawClient.Request(NbdCommand.Read, 0, Most, (ulong)cookie))]);
            }

            await Eventually.UntilAsync("each has something to read", () => slow.All(one => one.HasUnread));
            for (var round = 0; round < 2; round++)
            {
                await ReadAllAsync();
                Assert.InRange(Resident() - before, long.MinValue, GrowthMost);
            }

            // And whoever reads at last is served.
            foreach (var one in slow)
            {
                var chunk = await one.ReceiveChunkAsync();
                Assert.Equal(NbdChunk.OffsetData, chunk.Kind);
                Assert.True(right.AsSpan(0, Mebi).SequenceEqual(chunk.Data.AsSpan(8)), "other bytes are shown");
            }
        }
        finally
        {
            slow.ForEach(one => one.Dispose());
        }

        async Task ReadAllAsync()
        {
            for (var at = 0u; at < Most; at += Small)
            {
                await other.SendAsync(RawClient.Request(NbdCommand.Read, at, Small));
                var chunk = await other.ReceiveChunkAsync();
                Assert.Equal((NbdChunk.OffsetData, true), (chunk.Kind, chunk.IsLast));
                Assert.True(right.AsSpan((int)at, (int)Small).SequenceEqual(chunk.Data.AsSpan(8)), $"other bytes are read at {at}");
            }
        }

        long Resident()
        {
            using var process = Process.GetProcessById(silo.ProcessId);
            return process.WorkingSet64;
        }
    }
}
