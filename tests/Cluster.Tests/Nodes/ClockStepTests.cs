using System.Collections.Concurrent;
using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>
/// The wall clock of one of two silos is set, forward and back, while both serve. Leases and deadlines go by other clocks; what goes by this one is how old a request is, when a handle
/// ends, and the store's heartbeat.
/// </summary>
[Collection(NodeCollection.Name)]
public sealed class ClockStepTests : IAsyncLifetime, IDisposable
{
    private const int Vmos = 16;

    private readonly SteppedClock _clock = new();
    private RedisServer _redis = null!;
    private SiloCluster _cluster = null!;
    private VmoClient[] _clients = null!;
    private Vmo[] _vmos = null!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        var plain = new SiloOptions { Redis = _redis.Configuration };
        _cluster = await SiloCluster.StartEachAsync(1, silo => silo == 0 ? plain with { Environment = _clock.Environment } : plain, _redis);
        // Half of them live on the silo whose clock is stepped: there was no other yet.
        _clients = [VmoClient.Connect(new() { Endpoints = [_cluster.Silos[0].Endpoint] })];
        var first = await Task.WhenAll(Enumerable.Range(0, Vmos / 2).Select(_ => _clients[0].CreateAsync(Limits.PageBytes)));
        await _cluster.AddAsync();
        await _cluster.WaitForMembersAsync(2);
        _clients = [.. _clients, VmoClient.Connect(new() { Endpoints = [_cluster.Silos[1].Endpoint] })];
        _vmos = [.. first, .. await Task.WhenAll(Enumerable.Range(0, Vmos / 2).Select(_ => _clients[1].CreateAsync(Limits.PageBytes)))];
    }

    public async Task DisposeAsync()
    {
        foreach (var client in _clients)
            await client.DisposeAsync();
        await _cluster.DisposeAsync();
        await _redis.DisposeAsync();
    }

    public void Dispose() => _clock.Dispose();

    // A request is as old as two clocks make it; a new handle waits a minute for its receiver.
    [Fact]
    public async Task P2_Steps_of_half_a_minute_are_noticed_by_nobody()
    {
        using var end = new CancellationTokenSource();
        var rounds = new ConcurrentDictionary<Koid, int>();
        var writers = _vmos.Select(async vmo =>
        {
            for (var round = 1; !end.IsCancellationRequested; round++)
            {
                await vmo.WriteAsync(0, BitConverter.GetBytes(round));
                var clone = await vmo.CloneAsync(round % 2 == 0 ? VmoKind.Live : VmoKind.Snapshot);
                Assert.Equal(round, await RoundOfAsync(clone));
                await clone.CloseAsync();
                rounds[vmo.Koid] = round;
            }
        }).ToArray();

        foreach (var ahead in new[] { 30, 0, -30, 0 })
        {
            var before = rounds.ToDictionary();
            _clock.Step(TimeSpan.FromSeconds(ahead));
            await Eventually.UntilAsync($"the silo's clock is {ahead} s ahead", () => Math.Abs((LoggedAt() - DateTimeOffset.UtcNow).TotalSeconds - ahead) < 10);
            // Twice: the one under way may have begun before.
            await Eventually.UntilAsync("every VMO goes on", () => _vmos.All(vmo => rounds.GetValueOrDefault(vmo.Koid) >= before.GetValueOrDefault(vmo.Koid) + 2 || writers.Any(writer => writer.IsFaulted)));
        }

        await end.CancelAsync();
        await Task.WhenAll(writers);
        Assert.All(_cluster.Silos, silo => Assert.Equal(2, silo.Log.Split(" is open.").Length));
    }

    [Fact]
    public async Task P3_A_clock_that_is_five_minutes_ahead_refuses_changes_and_says_so_and_all_is_well_when_it_is_set_right()
    {
        foreach (var vmo in _vmos)
            await vmo.WriteAsync(0, BitConverter.GetBytes(1));

        _clock.Step(TimeSpan.FromMinutes(5));
        await Task.Delay(SteppedClock.ShowsWithin);
        var refused = 0;
        foreach (var vmo in _vmos)
        {
            try
            {
                await vmo.WriteAsync(0, BitConverter.GetBytes(2));
                Assert.Equal(2, await RoundOfAsync(vmo));
            }
            catch (VmoException failure) when (failure.Status == VmoStatus.TimedOut)
            {
                refused++;
                Assert.Contains("by this silo's clock", failure.Message, StringComparison.Ordinal);
                Assert.Equal(1, await RoundOfAsync(vmo));
            }
        }

        Assert.InRange(refused, Vmos / 2, Vmos);
        _clock.Step(TimeSpan.Zero);
        await Task.Delay(SteppedClock.ShowsWithin);
        foreach (var vmo in _vmos)
        {
            await vmo.WriteAsync(0, BitConverter.GetBytes(3));
            Assert.Equal(3, await RoundOfAsync(vmo));
        }
    }

    private static async Task<int> RoundOfAsync(Vmo vmo)
    {
        var found = new byte[sizeof(int)];
        await vmo.ReadAsync(0, found);
        return BitConverter.ToInt32(found);
    }

    // Every creation is logged with the silo's own time.
    private DateTimeOffset LoggedAt() =>
        DateTimeOffset.Parse(_cluster.Silos[0].Log.Split('\n').Last(line => line.Contains(" audit ", StringComparison.Ordinal))[..24], CultureInfo.InvariantCulture);
}
