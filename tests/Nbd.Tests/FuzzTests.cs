using VmoCluster.Client;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>What breaks the protocol ends its own connection, and nothing else.</summary>
public sealed class FuzzTests(DiskNode node) : IClassFixture<DiskNode>
{
    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 500;

    [Fact]
    public async Task An_old_client_without_structured_replies_gets_simple_ones()
    {
        var vmo = await NewAsync();
        using var client = new RawClient(node.Socket);
        await client.ReceiveAsync(18);
        await client.SendAsync(RawClient.U32(1));
        await client.SendAsync(RawClient.Option(NbdOption.ExportName, System.Text.Encoding.ASCII.GetBytes(vmo.Handle.Reveal())));
        // Size, flags, and the 124 zeros of those who do not ask to be spared them.
        Assert.Equal(1UL << 20, System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(await client.ReceiveAsync(134)));
        await client.SendAsync(RawClient.Request(NbdCommand.Read, 0, 4096, cookie: 77));
        var reply = await client.ReceiveAsync(16 + 4096);
        Assert.Equal((NbdNumbers.SimpleReplyMagic, 0u, 77UL), (Number(reply, 0), Number(reply, 4), System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(reply.AsSpan(8))));
        Assert.All(reply[16..], there => Assert.Equal(9, there));
        await client.SendAsync(RawClient.Request(NbdCommand.Disconnect, 0, 0));
        Assert.True(await client.IsEndedAsync());
    }

    [Fact]
    public async Task What_was_sent_before_a_disconnect_is_done_before_the_connection_ends()
    {
        var vmo = await NewAsync();
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0)))[^1].Kind);
        for (var i = 0u; i < 64; i++)
            await client.SendAsync(RawClient.Request(NbdCommand.Write, i * 4096, 4096, cookie: i), Enumerable.Repeat((byte)(i + 1), 4096).ToArray());
        await client.SendAsync(RawClient.Request(NbdCommand.Disconnect, 0, 0));
        var cookies = new HashSet<byte>();
        for (var i = 0; i < 64; i++)
            cookies.Add((await client.ReceiveAsync(16))[15]);
        Assert.Equal(64, cookies.Count);
        Assert.True(await client.IsEndedAsync());
        var bytes = new byte[64 * 4096];
        await vmo.ReadAsync(0, bytes);
        Assert.All(Enumerable.Range(0, 64), i => Assert.Equal(i + 1, bytes[i * 4096]));
    }

    [Fact]
    public async Task Of_reads_that_came_together_those_beyond_the_end_of_a_shrunk_VMO_fail_and_the_others_do_not()
    {
        var vmo = await NewAsync();
        using var client = new RawClient(node.Socket);
        await client.GreetAsync();
        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0)))[^1].Kind);
        await vmo.SetSizeAsync(1 << 19);
        // Even cookies below the end, odd ones behind it.
        await client.SendAsync([.. Enumerable.Range(0, 40).Select(i => RawClient.Request(NbdCommand.Read, i % 2 == 0 ? (ulong)i * 4096 : 1 << 19, 4096, cookie: (ulong)i))]);
        var seen = new HashSet<byte>();
        for (var i = 0; i < 40; i++)
        {
            var head = await client.ReceiveAsync(16);
            Assert.Equal(head[15] % 2 == 0 ? NbdError.None : NbdError.Invalid, (NbdError)Number(head, 4));
            if (head[15] % 2 == 0)
                Assert.All(await client.ReceiveAsync(4096), there => Assert.Equal(9, there));
            seen.Add(head[15]);
        }

        Assert.Equal(40, seen.Count);
    }

    [Fact]
    public async Task An_option_that_is_too_long_or_begins_wrongly_and_a_request_without_its_magic_end_the_connection()
    {
        var vmo = await NewAsync();
        foreach (var bad in new byte[][]
        {
            [.. RawClient.U64(NbdNumbers.OptionMagic), .. RawClient.U32(7), .. RawClient.U32(1 << 20)],
            [.. RawClient.U64(7), .. RawClient.U32(7), .. RawClient.U32(0)],
            RawClient.Option(NbdOption.ExportName, "nonsense"u8.ToArray()),
        })
        {
            using var client = new RawClient(node.Socket);
            await client.GreetAsync();
            await client.SendAsync(bad);
            Assert.True(await client.IsEndedAsync());
        }

        using var going = new RawClient(node.Socket);
        await going.GreetAsync();
        await going.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0));
        await going.SendAsync(new byte[28]);
        Assert.True(await going.IsEndedAsync());
        await StandsAsync(vmo);
    }

    [Fact]
    public async Task Half_a_request_and_half_a_payload_and_then_the_end_are_borne()
    {
        var vmo = await NewAsync();
        foreach (var half in new byte[][] { RawClient.Request(NbdCommand.Read, 0, 4096)[..13], [.. RawClient.Request(NbdCommand.Write, 0, 1 << 20), .. new byte[1000]] })
        {
            using var client = new RawClient(node.Socket);
            await client.GreetAsync();
            await client.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0));
            await client.SendAsync(half);
            client.Finish();
            Assert.True(await client.IsEndedAsync());
        }

        await StandsAsync(vmo);
    }

    // Many at once: a refused name is answered after a quarter of a second.
    [Fact]
    public async Task Whatever_is_sent_in_the_handshake_or_after_it_the_server_stands()
    {
        var vmo = await NewAsync();
        var name = vmo.Handle.Reveal();
        await Parallel.ForEachAsync(Enumerable.Range(0, Iterations), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (seed, _) => await SendAsync(seed, name));
        Assert.False(node.Silo.HasExited);
        await StandsAsync(vmo);
    }

    private async Task SendAsync(int seed, string name)
    {
        var random = new Random(seed);
        using var client = new RawClient(node.Socket);
        // Of a few the flags are anything: most of those end here.
        if (random.Next(16) == 0)
        {
            await client.ReceiveAsync(18);
            await client.SendAsync(RawClient.U32(random.Next(2) == 0 ? (uint)random.Next(4) : (uint)random.NextInt64(1L << 32)));
        }
        else
        {
            await client.GreetAsync();
        }

        var isGoing = random.Next(2) == 0;
        try
        {
            if (isGoing)
                await GoAsync(random, client, name);
        }
        catch (IOException)
        {
            // Those flags it was.
            return;
        }

        try
        {
            await client.SendAsync(isGoing ? Requests(random) : Options(random, name));
            client.Finish();
        }
        catch (IOException)
        {
            // It was ended before all was sent.
        }

        Assert.True(await client.IsEndedAsync(), $"seed {seed}: the connection neither goes on nor ends");
    }

    // With chunks and contexts, or without.
    private static async Task GoAsync(Random random, RawClient client, string name)
    {
        if (random.Next(2) == 0)
        {
            string[] names = ["base:allocation", "qemu:allocation-depth", "vmo:owner"];
            var contexts = names.Where(_ => random.Next(3) > 0).Select(RawClient.Text).ToArray();
            await client.AskAsync(NbdOption.StructuredReply);
            await client.AskAsync(NbdOption.SetMetaContext, [RawClient.Text(name), RawClient.U32((uint)contexts.Length), .. contexts]);
        }

        Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Go, RawClient.Text(name), RawClient.U16(0)))[^1].Kind);
    }

    // Right ones with something wrong: a bit, a length, a number, the order.
    private static byte[] Options(Random random, string name)
    {
        var bytes = new List<byte>();
        for (var count = random.Next(1, 5); count > 0; count--)
        {
            var option = (NbdOption)random.Next(0, 14);
            bytes.AddRange(random.Next(4) switch
            {
                0 => RawClient.Option(option),
                1 => RawClient.Option(option, RawClient.Text(name), RawClient.U16((ushort)random.Next(4)), RawClient.U16((ushort)random.Next(5))),
                2 => RawClient.Option(option, RawClient.Text(name), RawClient.U32((uint)random.Next(3)), RawClient.Text("base:allocation")),
                _ => RawClient.Option(option, Noise(random, random.Next(64))),
            });
        }

        return Spoilt(random, bytes);
    }

    private static byte[] Requests(Random random)
    {
        var bytes = new List<byte>();
        for (var count = random.Next(1, 8); count > 0; count--)
        {
            var length = random.Next(3) == 0 ? (uint)random.NextInt64(1L << 32) : (uint)random.Next(20_000);
            var offset = random.Next(3) == 0 ? (ulong)random.NextInt64() : (ulong)random.Next(1 << 20);
            bytes.AddRange(RawClient.Request((NbdCommand)random.Next(0, 10), offset, length, (ulong)count, (NbdCommandFlags)(random.Next(3) == 0 ? random.Next(64) : 0)));
            bytes.AddRange(Noise(random, random.Next(3) == 0 ? (int)Math.Min(length, 4096) : 0));
        }

        return Spoilt(random, bytes);
    }

    private static byte[] Spoilt(Random random, List<byte> bytes)
    {
        if (random.Next(2) == 0)
            bytes[random.Next(bytes.Count)] ^= (byte)(1 << random.Next(8));
        return [.. bytes.Take(random.Next(4) == 0 ? random.Next(1, bytes.Count + 1) : bytes.Count)];
    }

    private static byte[] Noise(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static uint Number(byte[] bytes, int at) => System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));

    private async Task<Vmo> NewAsync()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        await vmo.WriteAsync(0, Enumerable.Repeat((byte)9, 1 << 20).ToArray());
        return vmo;
    }

    private async Task StandsAsync(Vmo vmo) => await Peer.RunAsync("qemu-io", ["-f", "raw", "-c", "write -P 5 0 64k", "-c", "read -P 5 0 64k", node.Uri(vmo)]);
}
