using System.Diagnostics;
using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

/// <summary>A call is tried until its deadline under one request id, and takes effect once.</summary>
public sealed class RetryTests
{
    public static TheoryData<string, int> Writes => new() { { "write", 100 }, { "write", 100_000 }, { "write-piece", 1_000_000 } };

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task A_write_whose_answer_is_lost_takes_effect_once_under_one_request_id(string message, int length)
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(1 << 20);
        setup.Cluster.Faults = (name, number) => name != message || number > 3 ? Fault.None : number switch
        {
            1 => new(FaultKind.LoseAnswer),
            2 => new(FaultKind.HangAfter),
            _ => new(FaultKind.LoseMessage),
        };
        var bytes = Setup.Noise(length, 1);
        await vmo.WriteAsync(5000, bytes);
        Assert.Equal(bytes, setup.Cluster.Bytes(vmo.Koid)[5000..(5000 + length)]);
        Assert.All(setup.Cluster.Effects(vmo.Koid), times => Assert.Equal(1, times));
        Assert.True(setup.Cluster.AttemptsOf(message).Length >= 4);
        Assert.Single(setup.Cluster.AttemptsOf(message).Select(attempt => attempt.Request).Distinct());
    }

    [Fact]
    public async Task A_creation_whose_answer_is_lost_makes_one_vmo_and_one_handle_that_works()
    {
        await using var setup = new Setup();
        setup.Cluster.Faults = (name, number) => name == "create" && number < 3 ? new(FaultKind.LoseAnswer) : Fault.None;
        var vmo = await setup.Client.CreateAsync(10_000, new() { Name = "one" });
        Assert.Equal(1, setup.Cluster.VmoCount);
        Assert.Equal(12_288UL, await vmo.GetSizeAsync());
        Assert.Single(setup.Cluster.AttemptsOf("create").Select(attempt => attempt.Request).Distinct());
    }

    [Fact]
    public async Task New_handles_are_confirmed_behind_the_callers_back_and_before_the_client_is_gone()
    {
        var setup = new Setup();
        setup.Cluster.Faults = (name, number) => name == "call" && number < 3 ? new(FaultKind.ShouldWait, 30) : Fault.None;
        var vmo = await setup.Client.CreateAsync(4096);
        await setup.DisposeAsync();
        Assert.True(setup.Cluster.IsConfirmed(vmo.Handle));
        Assert.True(setup.Cluster.IsDisposed);
    }

    [Fact]
    public async Task A_refusal_that_no_repeat_can_change_is_not_repeated()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var refused = await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.WriteAsync(4000, new byte[97]));
        Assert.Contains("97", refused.Message, StringComparison.Ordinal);
        Assert.Single(setup.Cluster.AttemptsOf("write"));
        Assert.False(refused.IsRetryable);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_is_told_to_wait_comes_back_after_the_hint_and_not_before(bool isJoined)
    {
        await using var setup = new Setup(new() { JoinCalls = isJoined });
        var vmo = await setup.Client.CreateAsync(4096);
        setup.Cluster.Faults = (name, number) => name == "read" && number == 1 ? new(FaultKind.ShouldWait, 150) : Fault.None;
        await vmo.ReadAsync(0, new byte[10]);
        var attempts = setup.Cluster.AttemptsOf("read");
        Assert.Equal(2, attempts.Length);
        Assert.True(Stopwatch.GetElapsedTime(attempts[0].At, attempts[1].At) >= TimeSpan.FromMilliseconds(149));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_that_is_never_answered_times_out_at_its_deadline_and_says_that_it_may_have_taken_effect(bool isJoined)
    {
        await using var setup = new Setup(new() { JoinCalls = isJoined, AttemptTimeout = TimeSpan.FromMilliseconds(100) });
        var vmo = (await setup.Client.CreateAsync(4096)).WithDeadline(TimeSpan.FromMilliseconds(900));
        setup.Cluster.Faults = (name, _) => name == "write" ? new(FaultKind.HangBefore) : Fault.None;
        var watch = Stopwatch.StartNew();
        var refused = await Setup.RefusedAsync(VmoStatus.TimedOut, () => vmo.WriteAsync(0, new byte[10]));
        Assert.InRange(watch.Elapsed.TotalMilliseconds, 800, 20_000);
        Assert.Contains("may have taken effect", refused.Message, StringComparison.Ordinal);
        Assert.True(setup.Cluster.AttemptsOf("write").Length >= 3);
    }

    [Theory]
    [InlineData(FaultKind.ShouldWait, VmoStatus.ShouldWait, "has not taken effect")]
    [InlineData(FaultKind.LoseMessage, VmoStatus.Io, "may have taken effect")]
    public async Task At_the_deadline_the_last_refusal_is_told(FaultKind kind, VmoStatus status, string effect)
    {
        foreach (var isJoined in new[] { true, false })
        {
            await using var setup = new Setup(new() { JoinCalls = isJoined });
            var vmo = (await setup.Client.CreateAsync(4096)).WithDeadline(TimeSpan.FromSeconds(1));
            setup.Cluster.Faults = (name, _) => name == "write" ? new(kind) : Fault.None;
            var refused = await Setup.RefusedAsync(status, () => vmo.WriteAsync(0, new byte[10]));
            Assert.Contains(effect, refused.Message, StringComparison.Ordinal);
            Assert.True(refused.IsRetryable);
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    [InlineData(1_000_000)]
    [InlineData(3_000_000)]
    public async Task A_cancelled_read_ends_at_once_and_never_touches_its_memory_again(int length)
    {
        await using var setup = new Setup(new() { AttemptTimeout = TimeSpan.FromSeconds(20) });
        var vmo = await setup.Client.CreateAsync(4 << 20);
        await vmo.WriteAsync(0, Setup.Noise(length, 2));
        var release = new TaskCompletionSource();
        setup.Cluster.Hold = name => name.StartsWith("read", StringComparison.Ordinal) ? release.Task : Task.CompletedTask;
        using var giveUp = new CancellationTokenSource();
        var destination = new byte[length];
        var reading = vmo.ReadAsync(0, destination, giveUp.Token);
        await Setup.UntilAsync(() => setup.Cluster.Attempts.Any(attempt => attempt.Name.StartsWith("read", StringComparison.Ordinal)), "the read is on its way");
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        release.SetResult();
        setup.Cluster.Hold = null;

        // Whatever was still under way is answered before this read, through the same lane.
        await vmo.ReadAsync(0, new byte[length]);
        Assert.Equal(-1, destination.AsSpan().IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_call_that_is_cancelled_already_is_not_made()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        var gone = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => vmo.ReadAsync(0, new byte[1], gone));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => vmo.WriteAsync(0, new byte[1], gone));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => vmo.GetSizeAsync(gone));
        Assert.Empty(setup.Cluster.AttemptsOf("read"));
        Assert.Empty(setup.Cluster.AttemptsOf("write"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Thousands_of_refused_calls_do_not_become_many_times_as_many_messages(bool isJoined)
    {
        const int Calls = 4000;
        await using var setup = new Setup(new() { JoinCalls = isJoined });
        var vmo = await setup.Client.CreateAsync(4096);
        setup.Cluster.Faults = (name, _) => name == "read" ? new(FaultKind.ShouldWait, 1) : Fault.None;
        var began = Stopwatch.GetTimestamp();

        // Each through a way of its own, so that joining does not hide the repeats.
        var calls = Enumerable.Range(0, Calls).Select(_ => vmo.WithDeadline(TimeSpan.FromSeconds(1)))
            .Select(own => Assert.ThrowsAsync<VmoException>(() => own.ReadAsync(0, new byte[1]))).ToList();

        // Some may be on their way when their deadline comes.
        Assert.All(await Task.WhenAll(calls), refused => Assert.True(refused.Status is VmoStatus.ShouldWait or VmoStatus.TimedOut, refused.Message));
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var messages = setup.Cluster.AttemptsOf("read").Length;
        // Repeats are messages, and bring their tenth, too.
        Assert.InRange(messages, 1, 1.12 * (Calls + RetryBudget.Most + (RetryBudget.PerSecond * (seconds + 1))));

        // The budget is spent and comes back: calls go through again.
        setup.Cluster.Faults = static (_, _) => Fault.None;
        await vmo.WithDeadline(TimeSpan.FromSeconds(20)).ReadAsync(0, new byte[1]);
    }

    [Fact]
    public async Task A_transport_that_throws_is_heard_of_and_nothing_hangs()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        setup.Cluster.Faults = (name, _) => name is "read" or "write" ? new(FaultKind.Throw) : Fault.None;
        await Assert.ThrowsAsync<InvalidDataException>(() => vmo.ReadAsync(0, new byte[1]));
        await Assert.ThrowsAsync<InvalidDataException>(() => vmo.WriteAsync(0, new byte[1]));
        setup.Cluster.Faults = static (_, _) => Fault.None;
        await vmo.ReadAsync(0, new byte[1]);
    }

    [Fact]
    public async Task A_client_that_is_closed_refuses_everything()
    {
        var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        await setup.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => vmo.ReadAsync(0, new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => vmo.GetSizeAsync());
    }

    [Fact]
    public async Task The_deadline_in_the_head_shrinks_from_attempt_to_attempt()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096, new() { Deadline = TimeSpan.FromSeconds(7) });
        setup.Cluster.Faults = (name, number) => name == "write" && number < 3 ? new(FaultKind.ShouldWait, 60) : Fault.None;
        await vmo.WithDeadline(TimeSpan.FromSeconds(5)).WriteAsync(0, new byte[1]);
        var deadlines = setup.Cluster.AttemptsOf("write").Select(attempt => attempt.DeadlineMs).ToArray();
        Assert.Equal(3, deadlines.Length);
        Assert.InRange(deadlines[0], 4000, 5000);
        Assert.True(deadlines[0] - deadlines[2] >= 100, string.Join(',', deadlines));
        Assert.InRange(setup.Cluster.AttemptsOf("create")[0].DeadlineMs, 6000, 7000);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60_001)]
    [InlineData(-5)]
    public async Task A_deadline_outside_the_limits_is_refused(int ms)
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        Assert.Equal(VmoStatus.InvalidArgs, Assert.Throws<VmoException>(() => vmo.WithDeadline(TimeSpan.FromMilliseconds(ms))).Status);
        Assert.Throws<VmoException>(() => new VmoClient(setup.Cluster, new() { Deadline = TimeSpan.FromMilliseconds(ms) }));
    }

    [Fact]
    public async Task A_name_that_is_not_unicode_is_refused_before_it_is_mangled()
    {
        await using var setup = new Setup();
        var vmo = await setup.Client.CreateAsync(4096);
        foreach (var name in new[] { "a\ud800b", "\udc00", "\ud83d" })
        {
            await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.SetNameAsync(name));
            await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => setup.Client.CreateAsync(4096, new() { Name = name }));
            await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => setup.Client.CreateAsync(4096, new() { Labels = new Dictionary<string, string> { ["k"] = name } }));
        }

        await vmo.SetNameAsync("\ud83d\ude00");
        Assert.Equal("\ud83d\ude00", await vmo.GetNameAsync());
    }
}
