using System.Diagnostics;
using VmoCluster.Fsx.Model;
using VmoCluster.Fsx.Ops;
using VmoCluster.Fsx.Targets;

namespace VmoCluster.Fsx;

/// <summary>What a run came to.</summary>
/// <param name="Operations">Operations done.</param>
/// <param name="Families">Families played to their end.</param>
/// <param name="Failing">The short script, if there was a difference.</param>
/// <param name="Failure">The difference.</param>
internal sealed record Result(long Operations, long Families, Script? Failing, Failure? Failure);

/// <summary>
/// Plays families one after the other, several at once if asked, until so many operations are done or the time is up. Every family is a script of its
/// own seed, so the first that fails is all that must be played again.
/// </summary>
/// <param name="options">What is asked for.</param>
/// <param name="start">A target for one script.</param>
/// <param name="say">Progress, a line at a time.</param>
internal sealed class Stress(FsxOptions options, Func<Script, ITarget> start, Action<string> say)
{
    private static readonly TimeSpan ShrinkAtMost = TimeSpan.FromMinutes(2);

    private readonly long _began = Stopwatch.GetTimestamp();
    private long _operations;
    private long _families;
    private int _next;
    private long _saidAt;
    private (Script Script, Failure Failure)? _failed;

    public async Task<Result> RunAsync()
    {
        await Task.WhenAll(Enumerable.Range(0, options.Clients).Select(_ => Task.Run(PlayOnAsync)));
        if (_failed is not { } failed)
            return new(_operations, _families, null, null);
        say($"after {_operations:N0} operations: {failed.Failure.What}");
        say($"making {failed.Script.Ops.Count} operations fewer");
        var shrinker = new Shrinker(script => Play.ScriptAsync(script, start), ShrinkAtMost);
        var (shortest, failure) = await shrinker.ShrinkAsync(failed.Script, failed.Failure);
        say($"{shortest.Ops.Count} operations are left after {shrinker.Tries} tries");
        return new(_operations, _families, shortest, failure);
    }

    private async Task PlayOnAsync()
    {
        while (_failed is null && Interlocked.Read(ref _operations) < options.Count && Stopwatch.GetElapsedTime(_began) < options.Time)
            await PlayOneAsync(unchecked((options.Seed * 7919) + Interlocked.Increment(ref _next)) & int.MaxValue);
    }

    private async Task PlayOneAsync(int seed)
    {
        var ops = new List<Op>();
        var script = new Script(seed, ops);
        var model = new ModelFamily();
        await using var target = start(script);
        var play = new Play(target, model);
        var generator = new Generator(new(seed), model, target is CoreTarget);
        Failure? failure = null;
        while (ops.Count < options.Length && failure is null)
        {
            ops.Add(generator.Next());
            if (await play.DoAsync(ops[^1]) is { } wrong)
                failure = new(ops.Count - 1, wrong);
        }

        if (failure is null && await play.EndAsync() is { } left)
            failure = new(ops.Count, left);
        Interlocked.Add(ref _operations, play.Count);
        if (failure is not null)
            _failed ??= (script, failure);
        else
            Interlocked.Increment(ref _families);
        Say();
    }

    private void Say()
    {
        var (now, said) = ((long)Stopwatch.GetElapsedTime(_began).TotalSeconds, Interlocked.Read(ref _saidAt));
        if (now >= said + 5 && Interlocked.CompareExchange(ref _saidAt, now, said) == said)
            say($"{now} s: {_operations:N0} operations, {_families:N0} families, {_operations / Math.Max(now, 1):N0} a second");
    }
}
