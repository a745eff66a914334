using System.Buffers.Binary;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>A VMO that becomes smaller under a disk: what lies across its end or behind it fails alone, and what was said before it stays said.</summary>
public sealed class ShrunkTests(DiskNode node) : IClassFixture<DiskNode>, IAsyncLifetime
{
    private const int Page = Limits.PageBytes;
    private const uint Mebi = 1 << 20, Now = (2 * Mebi) + (Mebi / 2);

    private readonly byte[] _right = new byte[8 * Mebi];
    private RawClient? _disk;
    private ulong _cookie = 10;

    public async Task InitializeAsync()
    {
        new Random(3).NextBytes(_right);
        var vmo = await node.Client.CreateAsync((ulong)_right.Length);
        await vmo.WriteAsync(0, _right);
        _disk = await RawClient.OpenAsync(node.Socket, vmo.Handle.Reveal(), isStructured: true);
        await vmo.SetSizeAsync(Now);
    }

    public Task DisposeAsync()
    {
        _disk?.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task A_read_across_the_end_shows_what_is_there_and_then_that_it_has_failed()
    {
        var chunks = await AskAsync(NbdCommand.Read, 0, 4 * Mebi);
        Assert.Equal([NbdChunk.OffsetData, NbdChunk.OffsetData, NbdChunk.Error], chunks.Select(chunk => chunk.Kind));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal((ulong)i * Mebi, BinaryPrimitives.ReadUInt64BigEndian(chunks[i].Data));
            Assert.True(_right.AsSpan((int)(i * Mebi), (int)Mebi).SequenceEqual(chunks[i].Data.AsSpan(8)), $"piece {i} is another");
        }

        Assert.Equal(NbdError.Invalid, ErrorOf(chunks));
        await StillServesAsync();
    }

    [Fact]
    public async Task A_write_across_the_end_has_no_room_and_is_read_to_its_own_end()
    {
        Assert.Equal(NbdError.NoSpace, ErrorOf(await AskAsync(NbdCommand.Write, 0, 4 * Mebi, _right[..(int)(4 * Mebi)])));
        await StillServesAsync();
    }

    [Theory]
    [InlineData(6)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task What_changes_or_warms_bytes_behind_the_end_fails_alone(int command)
    {
        // TRIM and CACHE of what is not there are invalid; zeros have no room there, like any other bytes.
        Assert.Equal((NbdCommand)command == NbdCommand.WriteZeroes ? NbdError.NoSpace : NbdError.Invalid, ErrorOf(await AskAsync((NbdCommand)command, 3 * Mebi, Mebi)));
        await StillServesAsync();
    }

    private async Task StillServesAsync()
    {
        var shown = Assert.Single(await AskAsync(NbdCommand.Read, Now - Page, Page));
        Assert.Equal(NbdChunk.OffsetData, shown.Kind);
        Assert.Equal(_right[(int)(Now - Page)..(int)Now], shown.Data[8..]);
    }

    private static NbdError ErrorOf(List<(NbdChunk Kind, byte[] Data)> chunks)
    {
        Assert.Equal(NbdChunk.Error, chunks[^1].Kind);
        return (NbdError)BinaryPrimitives.ReadUInt32BigEndian(chunks[^1].Data);
    }

    // All chunks of its answer, and of nothing else.
    private async Task<List<(NbdChunk Kind, byte[] Data)>> AskAsync(NbdCommand command, ulong offset, uint length, byte[]? payload = null)
    {
        await _disk!.SendAsync(RawClient.Request(command, offset, length, ++_cookie), payload ?? []);
        var chunks = new List<(NbdChunk, byte[])>();
        while (true)
        {
            var chunk = await _disk.ReceiveChunkAsync();
            Assert.Equal(_cookie, chunk.Cookie);
            chunks.Add((chunk.Kind, chunk.Data));
            if (chunk.IsLast)
                return chunks;
        }
    }
}
