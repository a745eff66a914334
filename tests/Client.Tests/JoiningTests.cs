using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

/// <summary>Small concurrent calls share messages, and nothing else.</summary>
public sealed class JoiningTests
{
    [Fact]
    public async Task The_first_goes_at_once_and_what_comes_meanwhile_goes_together()
    {
        await using var setup = new Setup(new() { JoinMessagesInFlight = 2 });
        var vmo = await setup.Client.CreateAsync(1 << 20);
        var pages = Setup.Noise(40 * 4096, 3);
        await vmo.WriteAsync(0, pages);
        var release = new TaskCompletionSource();
        setup.Cluster.Hold = name => name == "read" ? release.Task : Task.CompletedTask;
        var buffers = Enumerable.Range(0, 40).Select(_ => new byte[4096]).ToArray();
        var reads = buffers.Select((buffer, page) => vmo.ReadAsync((ulong)page * 4096, buffer)).ToArray();
        Assert.Equal([1, 1], setup.Cluster.AttemptsOf("read").Select(attempt => attempt.Items));
        release.SetResult();
        await Task.WhenAll(reads);
        for (var page = 0; page < 40; page++)
            Assert.Equal(pages[(page * 4096)..((page + 1) * 4096)], buffers[page]);
        var items = setup.Cluster.AttemptsOf("read").Select(attempt => attempt.Items).ToArray();
        Assert.Equal(40, items.Sum());
        Assert.Equal(16, items.Max());
        Assert.True(items.Length <= 6, string.Join(',', items));
    }

    [Fact]
    public async Task Ranges_that_are_read_together_are_one_message_all_or_nothing_and_tried_again_together()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(1 << 20);
        var pages = Setup.Noise(8 * 4096, 3);
        await vmo.WriteAsync(0, pages);
        setup.Cluster.Faults = (name, number) => name == "read" && number == 1 ? new(FaultKind.ShouldWait, 1) : Fault.None;
        var bytes = await vmo.ReadManyAsync([new(4096, 10), new(0, 4096), new(100, 0), new(4106, 5)]);
        Assert.Equal([.. pages[4096..4106], .. pages[..4096], .. pages[4106..4111]], bytes);
        Assert.All(setup.Cluster.AttemptsOf("read"), attempt => Assert.Equal(4, attempt.Items));

        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.ReadManyAsync([new(0, 1), new(1 << 20, 1)]));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.ReadManyAsync([]));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.ReadManyAsync([.. Enumerable.Repeat(new ByteRange(0, 1), Limits.JoinCallsMax + 1)]));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.ReadManyAsync([new(0, Limits.MessageBytesMax), new(0, 1)]));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.ReadManyAsync([new(0, ulong.MaxValue), new(0, ulong.MaxValue)]));
    }

    [Fact]
    public async Task Writes_that_go_together_are_one_message_and_each_is_answered_by_itself()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(1 << 20);
        setup.Cluster.Faults = (name, number) => name == "write" && number == 1 ? new(FaultKind.ShouldWait, 1) : Fault.None;
        var pages = Setup.Noise(3 * 4096, 5);
        var ends = await vmo.WriteManyAsync([new(4096, pages.AsMemory(0, 4096)), new(1 << 20, pages.AsMemory(0, 1)), new(100, pages.AsMemory(4096, 10)), new(0, default)]);
        Assert.Equal([null, VmoStatus.OutOfRange, null, null], ends.Select(end => end?.Status));
        // What the first time was told to wait; had one of them been answered for good, it would not have been sent again.
        Assert.Equal([4, 4], setup.Cluster.AttemptsOf("write").Select(attempt => attempt.Items));
        byte[] right = [.. pages[4096..4106], .. pages[..4096]];
        var found = await vmo.ReadManyAsync([new(100, 10), new(4096, 4096)]);
        Assert.Equal(right, found);

        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.WriteManyAsync([]));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.WriteManyAsync([.. Enumerable.Repeat(new VmoWrite(0, pages.AsMemory(0, 1)), Limits.JoinCallsMax + 1)]));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.WriteManyAsync([new(0, new byte[Limits.MessageBytesMax]), new(0, new byte[1])]));
        Assert.Equal(2, setup.Cluster.AttemptsOf("write").Length);

        var revoked = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Write);
        await revoked.RevokeAsync();
        Assert.All(await revoked.WriteManyAsync([new(0, pages.AsMemory(0, 1)), new(1, pages.AsMemory(0, 1))]), end => Assert.Equal(VmoStatus.BadHandle, end?.Status));
    }

    [Fact]
    public async Task Writes_that_go_together_and_are_told_to_wait_until_their_deadline_say_so_each()
    {
        await using var setup = new Setup(new() { Deadline = TimeSpan.FromMilliseconds(300) });
        var vmo = await setup.Client.CreateAsync(1 << 20);
        setup.Cluster.Faults = (name, _) => name == "write" ? new(FaultKind.ShouldWait, 1) : Fault.None;
        var ends = await vmo.WriteManyAsync([new(0, new byte[1]), new(4096, new byte[1])]);
        Assert.Equal([VmoStatus.ShouldWait, VmoStatus.ShouldWait], ends.Select(end => end?.Status));
        Assert.All(ends, end => Assert.Contains("gave up after", end!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_message_keeps_to_both_limits()
    {
        await using var setup = new Setup(new() { JoinMessagesInFlight = 1 });
        var vmo = await setup.Client.CreateAsync(1 << 20);
        var release = new TaskCompletionSource();
        setup.Cluster.Hold = name => name == "write" ? release.Task : Task.CompletedTask;
        var writes = Enumerable.Range(0, 200).Select(i => vmo.WriteAsync((ulong)i, new byte[] { (byte)i }))
            .Concat(Enumerable.Range(0, 20).Select(i => vmo.WriteAsync((ulong)(i + 1) * 16_384, new byte[16_384]))).ToArray();
        release.SetResult();
        await Task.WhenAll(writes);
        Assert.All(setup.Cluster.AttemptsOf("write"), message =>
        {
            Assert.InRange(message.Items, 1, Limits.JoinCallsMax);
            Assert.InRange(message.Bytes, 1, Limits.JoinBytesMax);
        });
        Assert.Equal(220, setup.Cluster.Effects(vmo.Koid).Count);
        Assert.Equal(Enumerable.Range(0, 200).Select(i => (byte)i), setup.Cluster.Bytes(vmo.Koid)[..200]);
    }

    [Fact]
    public async Task A_call_that_is_refused_leaves_its_companions_alone()
    {
        await using var setup = new Setup(new() { JoinMessagesInFlight = 1 });
        var vmo = await setup.Client.CreateAsync(3 * 4096);
        await vmo.WriteAsync(0, Setup.Noise(3 * 4096, 4));
        var release = new TaskCompletionSource();
        setup.Cluster.Hold = name => name == "read" ? release.Task : Task.CompletedTask;
        var blocker = vmo.ReadAsync(0, new byte[1]);
        var (good, alsoGood) = (new byte[4096], new byte[10]);
        var first = vmo.ReadAsync(4096, good);
        var bad = vmo.ReadAsync(4096, new byte[9000]);
        var last = vmo.ReadAsync(0, alsoGood);
        release.SetResult();
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => bad);
        await Task.WhenAll(blocker, first, last);
        Assert.Equal(setup.Cluster.Bytes(vmo.Koid)[4096..8192], good);
        Assert.Equal(setup.Cluster.Bytes(vmo.Koid)[..10], alsoGood);
        Assert.Equal([1, 3], setup.Cluster.AttemptsOf("read").Select(attempt => attempt.Items));
    }

    [Fact]
    public async Task With_joining_off_each_call_is_a_message()
    {
        await using var setup = new Setup(new() { JoinCalls = false });
        var vmo = await setup.Client.CreateAsync(1 << 20);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => vmo.ReadAsync((ulong)i * 4096, new byte[4096])));
        Assert.Equal(50, setup.Cluster.AttemptsOf("read").Length);
    }

    [Fact]
    public async Task A_write_that_is_cancelled_while_it_waits_for_a_message_is_never_sent()
    {
        await using var setup = new Setup(new() { JoinMessagesInFlight = 1 });
        var vmo = await setup.Client.CreateAsync(4096);
        var release = new TaskCompletionSource();
        setup.Cluster.Hold = name => name == "write" ? release.Task : Task.CompletedTask;
        using var giveUp = new CancellationTokenSource();
        var first = vmo.WriteAsync(0, new byte[] { 1 });
        var cancelled = vmo.WriteAsync(1, new byte[] { 2 }, giveUp.Token);
        var third = vmo.WriteAsync(2, new byte[] { 3 });
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        release.SetResult();
        await Task.WhenAll(first, third);
        Assert.Equal(new byte[] { 1, 0, 3 }, setup.Cluster.Bytes(vmo.Koid)[..3]);
        Assert.Equal(2, setup.Cluster.Effects(vmo.Koid).Count);
    }

    [Fact]
    public async Task Under_random_faults_every_acknowledged_write_is_there_once_and_every_read_sees_its_own()
    {
        const int callers = 48;
        var seed = Environment.TickCount;
        await using var setup = new Setup(new() { AttemptTimeout = TimeSpan.FromMilliseconds(60) });
        var vmo = await setup.Client.CreateAsync(callers * 4096);
        var chance = new Random(seed);
        var gate = new Lock();
        setup.Cluster.Faults = (name, _) =>
        {
            if (name is not ("read" or "write"))
                return Fault.None;
            lock (gate)
            {
                return chance.Next(20) switch
                {
                    0 => new(FaultKind.LoseAnswer),
                    1 => new(FaultKind.LoseMessage),
                    2 => new(FaultKind.ShouldWait, chance.Next(5)),
                    3 when chance.Next(4) == 0 => new(FaultKind.HangAfter),
                    _ => Fault.None,
                };
            }
        };
        await Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
        {
            var own = new Random(seed + caller);
            for (var round = 0; round < 20; round++)
            {
                var (offset, bytes) = ((ulong)caller * 4096, Setup.Noise(own.Next(1, 4097), own.Next()));
                await vmo.WriteAsync(offset, bytes);
                var back = new byte[bytes.Length];
                await vmo.ReadAsync(offset, back);
                Assert.True(bytes.AsSpan().SequenceEqual(back), $"seed {seed}, caller {caller}, round {round}");
            }
        }));
        Assert.Equal(callers * 20, setup.Cluster.Effects(vmo.Koid).Count);
        Assert.All(setup.Cluster.Effects(vmo.Koid), times => Assert.True(times == 1, $"seed {seed}: a write took effect {times} times"));
        Assert.Contains(setup.Cluster.AttemptsOf("write"), message => message.Items > 1);
    }
}
