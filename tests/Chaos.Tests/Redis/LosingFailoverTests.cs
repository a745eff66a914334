using System.Globalization;
using VmoCluster.Chaos.Load;
using VmoCluster.Chaos.Redis;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests.Redis;

/// <summary>
/// P3 at <c>primary</c>, where a failover loses for certain: the replica had not followed for seconds when the primary died, and takes its place. Of each VMO a prefix
/// of its writes is left, nothing is torn, the loss is told, and silos go on with what is there.
/// </summary>
public sealed class LosingFailoverTests(ITestOutputHelper output)
{
    private const int Vmos = 3;
    private const int KeptWrites = 100;

    // Some renewals of each silo's session lie in what is lost: by these it knows how much that is.
    private static readonly TimeSpan Behind = TimeSpan.FromSeconds(8);

    [Fact]
    public async Task P3_Of_what_a_replica_that_takes_over_did_not_have_a_suffix_is_lost_and_counted_and_no_silo_remembers_it()
    {
        await using var lab = await ClusterLab.StartAsync(2, replicas: 1, inNetwork: false);
        await using var client = VmoClient.Connect(new() { Endpoints = [.. lab.Cluster.Silos.Select(silo => silo.Endpoint)], Deadline = TimeSpan.FromSeconds(30) });
        var (primary, replica) = (lab.Redis.Nodes[0], lab.Redis.Nodes[1]);
        var writes = new List<NumberedWrites>();
        await using var rising = new RisingWrites(await client.CreateAsync(Cells.VmoBytes));
        try
        {
            for (var i = 0; i < Vmos; i++)
                writes.Add(new(await client.CreateAsync(1UL << 32)));
            await Task.WhenAll(writes.Select(one => one.WaitForMoreAsync(KeptWrites)));
            var (kept, keptValue) = (writes.Select(one => one.Acked).ToList(), rising.Acked);
            var offset = await OffsetAsync(primary);
            await Eventually.UntilAsync("the replica has what was acknowledged", async () => await OffsetAsync(replica) >= offset);

            await replica.CommandAsync("REPLICAOF", "127.0.0.1", "1");
            await Task.Delay(Behind);
            await Task.WhenAll(writes.Select(one => one.StopAsync()));
            await rising.StopAsync();
            await primary.KillAsync();
            await replica.LeadAsync();
            lab.MoveRedis(replica);

            // Until it has noticed, a silo answers from its memory, as it may while its lease runs.
            foreach (var silo in lab.Cluster.Silos)
            {
                await Eventually.UntilAsync("the loss is counted", async () => await SiloFigures.SumAsync(silo, "vmo_store_setbacks_total") >= 1);
                Assert.Contains("The store has lost about", silo.Log, StringComparison.Ordinal);
            }

            var present = await PresentAsync(writes, kept);
            var shown = await rising.ShownAsync();
            output.WriteLine($"the replaced page: {shown} of {rising.Acked}, the replica had at least {keptValue}");
            Assert.True(shown < rising.Acked, $"{shown} of {rising.Acked}: nothing was lost");
            Assert.True(shown >= keptValue, $"{shown} is shown, and the replica had {keptValue}");
            Assert.True(present.Sum() < writes.Sum(one => one.Acked), "nothing was lost: the failover has shown nothing");

            // By silos that have nothing in memory.
            foreach (var silo in lab.Cluster.Silos)
                await silo.RestartAsync();
            Assert.Equal(present, await PresentAsync(writes, kept));
            Assert.Equal(shown, await rising.ShownAsync());

            // What is written from now on stays.
            await rising.WriteAsync(rising.Acked + 1);
            Assert.Equal(rising.Acked, await rising.ShownAsync());
            var fresh = await client.CreateAsync(Limits.PageBytes);
            await fresh.WriteAsync(0, "new"u8.ToArray());
        }
        finally
        {
            foreach (var one in writes)
                await one.DisposeAsync();
        }
    }

    // How many of each are there; never one without all before it.
    private async Task<IReadOnlyList<int>> PresentAsync(List<NumberedWrites> writes, List<int> kept)
    {
        var counts = new List<int>();
        for (var i = 0; i < writes.Count; i++)
        {
            var present = await writes[i].PresentAsync();
            output.WriteLine($"{present.Count} of {writes[i].Acked} writes are there, the replica had at least {kept[i]}");
            Assert.Equal(Enumerable.Range(0, present.Count).Select(number => (ulong)number), present);
            Assert.InRange(present.Count, kept[i], writes[i].Acked);
            counts.Add(present.Count);
        }

        return counts;
    }

    private static async Task<long> OffsetAsync(RedisServer server)
    {
        var lines = (await server.CommandAsync("INFO", "replication")).Split("\r\n");
        return long.Parse(lines.Single(line => line.StartsWith("master_repl_offset:", StringComparison.Ordinal)).Split(':')[1], CultureInfo.InvariantCulture);
    }

    // One cell of several pages, written again and again with a value that rises.
    private sealed class RisingWrites : IAsyncDisposable
    {
        private const int Cell = 4;
        private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(10);

        private readonly Vmo _vmo;
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _writing;
        private ulong _acked;

        public RisingWrites(Vmo vmo)
        {
            _vmo = vmo;
            _writing = Task.Run(WriteAsync);
        }

        public ulong Acked => Interlocked.Read(ref _acked);

        public async Task WriteAsync(ulong value)
        {
            await _vmo.WriteAsync(Cells.RangeOf(Cell).Offset, Cells.Fill(Cell, value));
            Interlocked.Exchange(ref _acked, value);
        }

        /// <summary>The one value that all pages show; nothing torn.</summary>
        public async Task<ulong> ShownAsync()
        {
            var bytes = new byte[Cells.RangeOf(Cell).Length];
            await _vmo.ReadAsync(Cells.RangeOf(Cell).Offset, bytes);
            return Assert.Single(Cells.Shown(bytes));
        }

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _writing;
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }

        private async Task WriteAsync()
        {
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    await WriteAsync(Acked + 1);
                }
                catch (VmoException failure) when (failure.Status is VmoStatus.Io or VmoStatus.TimedOut or VmoStatus.ShouldWait)
                {
                    // Not acknowledged: the same is written once more.
                }

                await Task.Delay(Rest);
            }
        }
    }
}
