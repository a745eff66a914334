using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

public sealed class VmoStreamTests
{
    public static TheoryData<int> Windows => new() { 0, 300_000, 4 << 20 };

    [Theory]
    [MemberData(nameof(Windows))]
    public async Task What_is_copied_in_is_copied_out(int window)
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(0);
        var bytes = Setup.Noise(3_333_333, 7);
        await using (var stream = vmo.OpenStream(new() { WindowBytes = window }))
            await new MemoryStream(bytes).CopyToAsync(stream);
        Assert.Equal((ulong)bytes.Length, await vmo.GetContentSizeAsync());
        Assert.Equal(bytes, setup.Cluster.Bytes(vmo.Koid)[..bytes.Length]);
        var back = new MemoryStream();
        await using (var stream = vmo.OpenStream(new() { WindowBytes = window }))
            await stream.CopyToAsync(back);
        Assert.Equal(bytes, back.ToArray());
    }

    [Fact]
    public async Task The_synchronous_methods_work_on_a_thread_that_must_not_wait_for_itself()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(0);
        await Task.Factory.StartNew(
            () =>
            {
                using var stream = vmo.OpenStream();
                stream.Write([1, 2, 3, 4, 5], 0, 5);
                stream.Seek(-2, SeekOrigin.End);
                Assert.Equal(4, stream.ReadByte());
                stream.SetLength(9);
                Assert.Equal(9, stream.Length);
                stream.Position = 0;
                var back = new byte[20];
                Assert.Equal(9, stream.ReadAtLeast(back, 20, throwOnEndOfStream: false));
                Assert.Equal(new byte[] { 1, 2, 3, 4, 5, 0, 0, 0, 0 }, back[..9]);
            },
            CancellationToken.None,
            TaskCreationOptions.None,
            new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler);
        Assert.Equal(9UL, await vmo.GetContentSizeAsync());
    }

    [Theory]
    [MemberData(nameof(Windows))]
    public async Task Random_reads_writes_and_seeks_agree_with_a_memory_stream(int window)
    {
        var seed = Environment.TickCount;
        var chance = new Random(seed);
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(0);
        await using var stream = vmo.OpenStream(new() { WindowBytes = window });
        var model = new MemoryStream();
        for (var step = 0; step < 150; step++)
        {
            switch (chance.Next(4))
            {
                case 0:
                    model.Position = stream.Position = chance.Next((int)model.Length + 1);
                    break;
                case 1:
                    var bytes = Setup.Noise(chance.Next(1, chance.Next(2) == 0 ? 3000 : 500_000), chance.Next());
                    await stream.WriteAsync(bytes);
                    model.Write(bytes);
                    break;
                case 2:
                    var (ours, theirs) = (new byte[chance.Next(400_000)], new byte[400_000]);
                    var count = model.Read(theirs, 0, ours.Length);
                    Assert.Equal(count, await stream.ReadAtLeastAsync(ours, ours.Length, throwOnEndOfStream: false));
                    Assert.True(ours.AsSpan(0, count).SequenceEqual(theirs.AsSpan(0, count)), $"seed {seed}, step {step}");
                    break;
                default:
                    Assert.True(model.Length == stream.Length, $"seed {seed}, step {step}: length {stream.Length}, should be {model.Length}");
                    break;
            }
        }

        await stream.FlushAsync();
        Assert.Equal((ulong)model.Length, await vmo.GetContentSizeAsync());
        Assert.True(model.ToArray().AsSpan().SequenceEqual(setup.Cluster.Bytes(vmo.Koid).AsSpan(0, (int)model.Length)), $"seed {seed}");
    }

    [Fact]
    public async Task A_stream_over_the_size_ends_at_the_size()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(5000);
        await vmo.SetContentSizeAsync(100);
        await using var content = vmo.OpenStream();
        await using var size = vmo.OpenStream(new() { LengthIsSize = true });
        Assert.Equal((100, 8192), (content.Length, size.Length));
    }

    [Fact]
    public async Task A_write_behind_that_fails_is_told_by_the_flush()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096, new() { NonResizable = true });
        var stream = vmo.OpenStream();
        await stream.WriteAsync(new byte[5000]);
        await Setup.RefusedAsync(VmoStatus.Unavailable, () => stream.FlushAsync());
        await Setup.RefusedAsync(VmoStatus.Unavailable, async () => await stream.DisposeAsync());
        Assert.False(stream.CanWrite);
    }

    [Fact]
    public async Task A_reader_at_the_end_sees_what_another_appends()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        await vmo.SetContentSizeAsync(3);
        await using var reader = vmo.OpenStream();
        var buffer = new byte[10];
        Assert.Equal(3, await reader.ReadAsync(buffer));
        Assert.Equal(0, await reader.ReadAtLeastAsync(buffer, 1, throwOnEndOfStream: false));
        await vmo.WriteAsync(3, new byte[] { 9, 8 });
        await vmo.SetContentSizeAsync(5);
        Assert.Equal(2, await reader.ReadAsync(buffer));
        Assert.Equal(new byte[] { 9, 8 }, buffer[..2]);
    }

    [Fact]
    public async Task A_seek_before_the_begin_is_refused_and_a_closed_stream_does_nothing()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        var stream = vmo.OpenStream();
        Assert.Throws<IOException>(() => stream.Seek(-1, SeekOrigin.Begin));
        await stream.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stream.ReadAtLeastAsync(new byte[1], 1));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stream.WriteAsync(new byte[1]));
    }
}
