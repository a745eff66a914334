using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>A silo whose store is away: its own door has patience, and no more than it was told.</summary>
public sealed class PatienceTests : IDisposable
{
    private const uint Page = Limits.PageBytes;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-patience-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // What memory answers is answered until the silo's lease of the store is over.
    [Fact]
    public async Task When_the_store_is_away_for_longer_each_command_is_EIO_and_the_connection_goes_on_when_it_is_back()
    {
        var path = Path.Combine(_folder, "nbd");
        await using var redis = await RedisServer.StartAsync(["appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration, Arguments = ["--nbd", $"unix:{path}", "--nbd-patience", "2"] });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(60) });
        var vmo = await client.CreateAsync(1 << 20);
        await vmo.WriteAsync(0, Enumerable.Repeat((byte)7, (int)Page).ToArray());
        using var disk = await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        Assert.Equal(NbdError.None, await EndOfAsync(NbdCommand.Read));
        redis.Pause();
        try
        {
            await Eventually.UntilAsync("what lies in memory is not shown any more", async () => await EndOfAsync(NbdCommand.Read) == NbdError.Io);
            foreach (var command in new[] { NbdCommand.Write, NbdCommand.Trim, NbdCommand.WriteZeroes, NbdCommand.Cache, NbdCommand.Read })
                Assert.Equal((command, NbdError.Io), (command, await EndOfAsync(command)));
        }
        finally
        {
            redis.Resume();
        }

        foreach (var command in new[] { NbdCommand.Write, NbdCommand.Trim, NbdCommand.WriteZeroes, NbdCommand.Cache, NbdCommand.Flush, NbdCommand.Read })
            await Eventually.UntilAsync($"{command} is done again", async () => await EndOfAsync(command) == NbdError.None);

        async Task<NbdError> EndOfAsync(NbdCommand command)
        {
            var length = command == NbdCommand.Flush ? 0 : Page;
            await disk.SendAsync(RawClient.Request(command, 0, length), command == NbdCommand.Write ? new byte[Page] : []);
            var (error, _) = await disk.ReceiveSimpleAsync();
            if (command == NbdCommand.Read && error == NbdError.None)
                await disk.ReceiveAsync((int)Page);
            return error;
        }
    }
}
