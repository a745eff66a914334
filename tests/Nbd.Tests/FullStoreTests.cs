using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>A disk in a store that is full: writes are told so, and trimming makes room.</summary>
public sealed class FullStoreTests : IDisposable
{
    private const uint Page = Limits.PageBytes, Piece = Limits.CallBytesMax;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-full-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // As a file system does that was told that there is no space: it trims, and not on the borders of pages.
    [Fact]
    public async Task A_full_store_is_ENOSPC_and_trimming_is_done_where_it_takes_no_room()
    {
        var path = Path.Combine(_folder, "nbd");
        await using var redis = await RedisServer.StartAsync(["maxmemory 64mb", "maxmemory-policy noeviction", "appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration, Arguments = ["--nbd", $"unix:{path}"] });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var vmo = await client.CreateAsync(1 << 30);
        using var disk = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        var (payload, at) = (new byte[Piece], 0u);
        new Random(1).NextBytes(payload);
        // Where no large write goes any more, small ones may still.
        foreach (var bytes in new[] { payload, payload[..(int)Page] })
        {
            while (await DoneAsync(NbdCommand.Write, at, bytes) == NbdError.None)
                at += (uint)bytes.Length;
        }

        Assert.InRange(at, 16u << 20, 64u << 20);
        Assert.Equal(NbdError.NoSpace, await DoneAsync(NbdCommand.Write, at, payload));

        // Parts of pages have to be written; there is no room for that.
        Assert.Equal(NbdError.NoSpace, await DoneAsync(NbdCommand.WriteZeroes, 512, [], Piece));
        Assert.Equal(NbdError.None, await DoneAsync(NbdCommand.Trim, 512, [], 512));
        var start = new byte[2 * Page];
        await vmo.ReadAsync(0, start);
        Assert.Equal(payload[..(int)(2 * Page)], start);
        Assert.Equal(NbdError.None, await DoneAsync(NbdCommand.Trim, 512, [], at / 2));
        await vmo.ReadAsync(0, start);
        Assert.Equal(-1, start.AsSpan((int)Page).IndexOfAnyExcept((byte)0));
        await Eventually.UntilAsync("there is room again", async () => await DoneAsync(NbdCommand.Write, at, payload) == NbdError.None);

        async Task<NbdError> DoneAsync(NbdCommand command, uint offset, byte[] bytes, uint? length = null)
        {
            await disk.SendAsync(RawClient.Request(command, offset, length ?? (uint)bytes.Length), bytes);
            return (await disk.ReceiveSimpleAsync()).Error;
        }
    }
}
