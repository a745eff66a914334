using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary><c>vmo nbd</c>: the same door as a process beside the consumer.</summary>
public sealed class SidecarTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const uint Page = Limits.PageBytes;

    [Fact]
    public async Task A_sidecar_serves_what_a_node_serves_ends_well_when_told_to_and_starts_again_after_a_kill()
    {
        var (vmo, path, there, back) = (await node.Client.CreateAsync(8 << 20), node.File("sidecar"), node.File("there"), node.File("back"));
        await File.WriteAllBytesAsync(there, RandomNumberGenerator.GetBytes(8 << 20));
        var uri = $"nbd+unix:///{vmo.Handle.Reveal()}?socket={path}";

        using (var killed = await StartAsync(path))
        {
            await Peer.RunAsync("nbdcopy", [there, uri]);
            killed.Kill();
            await killed.WaitForExitAsync();
        }

        using var told = await StartAsync(path);
        await Peer.RunAsync("nbdcopy", [uri, back]);
        Assert.Equal(await File.ReadAllBytesAsync(there), await File.ReadAllBytesAsync(back));
        Signals.Send(told.Id, Signals.Terminate);
        await told.WaitForExitAsync();
        Assert.Equal(0, told.ExitCode);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task Clients_that_ask_for_much_and_read_nothing_hold_up_themselves_and_take_the_memory_of_their_requests()
    {
        const int Clients = 24, Requests = 4096, Bytes = 64 << 10;
        const long Mebi = 1 << 20;
        var (vmo, path) = (await node.Client.CreateAsync(8 << 20), node.File("greedy"));
        var name = vmo.Handle.Reveal();
        await vmo.WriteAsync(0, RandomNumberGenerator.GetBytes(1 << 20));
        using var sidecar = await StartAsync(path);
        using var patient = await RawClient.OpenAsync(path, name);
        for (var i = 0; i < 100; i++)
            await ReadAsync(patient);
        var before = ResidentBytes(sidecar.Id);
        var greedy = new List<RawClient>();
        try
        {
            for (var i = 0; i < Clients; i++)
            {
                greedy.Add(await RawClient.OpenAsync(path, name));
                // 256 MiB of answers each. Most of the requests stay with the client, as nobody reads them any more.
                _ = greedy[i].SendAsync([.. Enumerable.Range(0, Requests).Select(at => RawClient.Request(NbdCommand.Read, (ulong)(at % 16 * Bytes), Bytes))]).ContinueWith(
                    failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted);
            }

            for (var (i, last) = (0, 0L); i < 60 && ResidentBytes(sidecar.Id) is var now && (i < 4 || now > last); i++)
            {
                last = now;
                await Task.Delay(500);
                // Others are served as if they were not there.
                await ReadAsync(patient);
            }

            // 8 MiB of payloads a connection (N4), what the runtime keeps of as much again, and its heap.
            var more = ResidentBytes(sidecar.Id) - before;
            Assert.True(more < Clients * 16 * Mebi, $"{more / Mebi} MiB more for {Clients} clients that read nothing");
        }
        finally
        {
            greedy.ForEach(client => client.Dispose());
        }

        await ReadAsync(patient);
        sidecar.Kill();
        await sidecar.WaitForExitAsync();

        static async Task ReadAsync(RawClient client)
        {
            await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, Bytes));
            await client.ReceiveAsync(NbdNumbers.SimpleReplyBytes + Bytes);
        }

        static long ResidentBytes(int process) =>
            long.Parse(File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    // Each request has its time, and no more than that, also where it is many (small reads) or large (its pieces do not all fit into the connection's room at once); afterwards the
    // connection is as good as before.
    [Theory]
    [InlineData(nameof(NbdCommand.Read), 32, Page)]
    [InlineData(nameof(NbdCommand.Read), 4, 4 << 20)]
    [InlineData(nameof(NbdCommand.Write), 32, Page)]
    [InlineData(nameof(NbdCommand.Write), 2, 32 << 20)]
    [InlineData(nameof(NbdCommand.Trim), 8, 1 << 20)]
    [InlineData(nameof(NbdCommand.WriteZeroes), 8, 1 << 20)]
    [InlineData(nameof(NbdCommand.Cache), 4, 4 << 20)]
    [InlineData(nameof(NbdCommand.BlockStatus), 8, 1 << 20)]
    public async Task What_no_silo_answers_within_its_time_is_EIO_and_the_connection_goes_on_when_one_does(string kind, int requests, uint bytes)
    {
        var command = Enum.Parse<NbdCommand>(kind);
        var (vmo, path) = (await node.Client.CreateAsync(64 << 20), node.File($"patient-{kind}-{bytes}"));
        using var sidecar = await StartAsync(path, "--timeout", "2s");
        var isStructured = command == NbdCommand.BlockStatus;
        using var client = isStructured ? await OpenWithContextAsync(path, vmo.Handle.Reveal()) : await RawClient.OpenAsync(path, vmo.Handle.Reveal());
        node.Silo.Pause();
        var began = Stopwatch.GetTimestamp();
        try
        {
            var payload = command == NbdCommand.Write ? new byte[bytes] : [];
            var sending = client.SendAsync([.. Enumerable.Range(0, requests).SelectMany(i => new[] { RawClient.Request(command, (ulong)i * bytes % (64 << 20), bytes, cookie: (ulong)i), payload })]);
            for (var i = 0; i < requests; i++)
                Assert.Equal(NbdError.Io, await ErrorAsync());
            await sending;
            // Half of them wait for the others' message, or for their room: twice the time, and not four times.
            Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(1.9), TimeSpan.FromSeconds(7.5));
        }
        finally
        {
            node.Silo.Resume();
        }

        await Eventually.UntilAsync("it reads again", async () =>
        {
            await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, 4096));
            if (await ErrorAsync() != NbdError.None)
                return false;
            if (!isStructured)
                await client.ReceiveAsync(4096);
            return true;
        });
        sidecar.Kill();
        await sidecar.WaitForExitAsync();

        async Task<NbdError> ErrorAsync()
        {
            if (!isStructured)
                return (await client.ReceiveSimpleAsync()).Error;
            var chunk = await client.ReceiveChunkAsync();
            Assert.True(chunk.IsLast);
            return chunk.Kind == NbdChunk.Error ? (NbdError)BinaryPrimitives.ReadUInt32BigEndian(chunk.Data) : NbdError.None;
        }
    }

    [Theory]
    [InlineData("0.0.0.0:0", "handles would cross the network")]
    [InlineData("10809", "must be an IP address and a port")]
    [InlineData("unix:", "must be an IP address and a port")]
    public async Task A_place_that_is_none_or_that_shows_handles_to_the_network_is_a_usage_error(string where, string why) =>
        Assert.Contains(why, await Peer.RunAsync(Program, ["nbd", "--endpoint", node.Silo.Endpoint.ToString(), "--listen", where], code: 64), StringComparison.Ordinal);

    private static async Task<RawClient> OpenWithContextAsync(string path, string name)
    {
        var client = new RawClient(path);
        await client.GreetAsync();
        await client.AskAsync(NbdOption.StructuredReply);
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.SetMetaContext, RawClient.Text(name), RawClient.U32(1), RawClient.Text("base:allocation")))[^1].Kind);
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, RawClient.Text(name), RawClient.U16(0)))[^1].Kind);
        return client;
    }

    private static string Program => BuiltServer.Find("client/Cli", "vmo");

    private async Task<Process> StartAsync(string path, params string[] arguments)
    {
        var process = ChildProcess.Start(new(Program, ["nbd", "--endpoint", node.Silo.Endpoint.ToString(), "--listen", $"unix:{path}", .. arguments]) { RedirectStandardOutput = true });
        Assert.Equal($"ready nbd=unix:{path}", await process.StandardOutput.ReadLineAsync());
        return process;
    }
}
