using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

/// <summary>Reads and writes of any length: one message, pieces of one call, several calls.</summary>
public sealed class TransferTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(16_385)]
    [InlineData(262_144)]
    [InlineData(262_145)]
    [InlineData(1_048_576)]
    [InlineData(1_048_577)]
    [InlineData(5_500_000)]
    public async Task What_is_written_is_read_back_at_every_length(int length)
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(6 << 20);
        var (bytes, back) = (Setup.Noise(length, length), new byte[length]);
        var written = await vmo.WriteAsync(777, bytes);
        var read = await vmo.ReadAsync(777, back);
        Assert.Equal(bytes, back);
        Assert.Equal(bytes, setup.Cluster.Bytes(vmo.Koid)[777..(777 + length)]);
        Assert.Equal(written, read);
    }

    [Fact]
    public async Task A_mebibyte_is_one_change_in_four_pieces_under_one_request_id()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(2 << 20);
        var before = await vmo.ReadAsync(0, default);
        var after = await vmo.WriteAsync(0, Setup.Noise(1 << 20, 5));
        Assert.Equal(before + 1, after);
        Assert.Equal(4, setup.Cluster.AttemptsOf("write-piece").Length);
        Assert.Single(setup.Cluster.AttemptsOf("write-piece").Select(piece => piece.Request).Distinct());
        await vmo.ReadAsync(0, new byte[1 << 20]);
        Assert.Equal(4, setup.Cluster.AttemptsOf("read-piece").Length);
        Assert.Single(setup.Cluster.AttemptsOf("read-piece").Select(piece => piece.Request).Distinct());
    }

    [Fact]
    public async Task Pieces_that_show_two_versions_are_read_anew_under_another_request_id()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(1 << 20);
        var bytes = Setup.Noise(1 << 20, 6);
        await vmo.WriteAsync(0, bytes);
        setup.Cluster.Faults = (name, number) =>
        {
            if (name == "read-piece" && number == 3)
                setup.Cluster.ForgetPinned(vmo.Koid);
            return Fault.None;
        };
        var back = new byte[1 << 20];
        await vmo.ReadAsync(0, back);
        Assert.Equal(bytes, back);
        Assert.Equal(8, setup.Cluster.AttemptsOf("read-piece").Length);
        Assert.Equal(2, setup.Cluster.AttemptsOf("read-piece").Select(piece => piece.Request).Distinct().Count());
    }

    [Fact]
    public async Task A_large_transfer_keeps_a_bounded_number_of_calls_in_flight()
    {
        await using var setup = new Setup(new() { TransferCallsInFlight = 3, AttemptTimeout = TimeSpan.FromSeconds(20) });
        var vmo = await setup.Client.CreateAsync(10 << 20);
        var release = new TaskCompletionSource();
        setup.Cluster.Hold = name => name == "read-piece" ? release.Task : Task.CompletedTask;
        var reading = vmo.ReadAsync(0, new byte[10 << 20]);
        await Setup.UntilAsync(() => setup.Cluster.AttemptsOf("read-piece").Length == 12, "three calls of four pieces are in flight");
        Assert.Equal(12, setup.Cluster.AttemptsOf("read-piece").Length);
        release.SetResult();
        await reading;
        Assert.Equal(40, setup.Cluster.AttemptsOf("read-piece").Length);
    }

    [Fact]
    public async Task A_large_write_that_is_out_of_range_from_its_first_byte_changes_nothing()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(1 << 20);
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.WriteAsync(4096, new byte[3 << 20]));
        Assert.Equal(-1, setup.Cluster.Bytes(vmo.Koid).AsSpan().IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_transfer_that_passes_the_end_of_numbers_is_out_of_range_once_the_handle_is_good()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(1 << 20);
        var unknown = setup.Client.Open(new(vmo.Koid, HandleSecret.Create()));
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => unknown.ReadAsync(ulong.MaxValue - 100, new byte[2 << 20]));
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => unknown.WriteAsync(ulong.MaxValue - 100, new byte[2 << 20]));
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.ReadAsync(ulong.MaxValue - 100, new byte[2 << 20]));
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.WriteAsync(ulong.MaxValue - 100, new byte[2 << 20]));
    }

    [Fact]
    public async Task Random_faults_tear_no_large_transfer()
    {
        var seed = Environment.TickCount;
        var chance = new Random(seed);
        await using var setup = new Setup(new() { AttemptTimeout = TimeSpan.FromMilliseconds(150) });
        var vmo = await setup.Client.CreateAsync(4 << 20);
        setup.Cluster.Faults = (name, _) =>
        {
            lock (chance)
            {
                return !name.EndsWith("-piece", StringComparison.Ordinal) ? Fault.None : chance.Next(12) switch
                {
                    0 => new(FaultKind.LoseAnswer),
                    1 => new(FaultKind.LoseMessage),
                    2 => new(FaultKind.ShouldWait, 1),
                    3 => new(FaultKind.HangAfter),
                    _ => Fault.None,
                };
            }
        };
        for (var round = 0; round < 3; round++)
        {
            var (bytes, back) = (Setup.Noise(3_500_000, seed + round), new byte[3_500_000]);
            await vmo.WriteAsync(12_345, bytes);
            await vmo.ReadAsync(12_345, back);
            Assert.True(bytes.AsSpan().SequenceEqual(back), $"seed {seed}, round {round}");
        }

        Assert.All(setup.Cluster.Effects(vmo.Koid), times => Assert.True(times == 1, $"seed {seed}: a write took effect {times} times"));
    }
}
