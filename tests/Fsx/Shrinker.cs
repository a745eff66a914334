using System.Diagnostics;
using VmoCluster.Fsx.Ops;

namespace VmoCluster.Fsx;

/// <summary>
/// Makes a failing script short: takes away stretches of operations, large ones first, then makes what is left smaller, as long as the script
/// still fails, with whatever difference.
/// </summary>
/// <param name="fails">Plays a script and tells how it failed; null when it did not.</param>
/// <param name="patience">After so long the shortest found is good enough.</param>
internal sealed class Shrinker(Func<Script, Task<Failure?>> fails, TimeSpan patience)
{
    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>Scripts played.</summary>
    public int Tries { get; private set; }

    private bool IsOver => Stopwatch.GetElapsedTime(_began) > patience;

    public async Task<(Script Script, Failure Failure)> ShrinkAsync(Script script, Failure failure)
    {
        // What stands behind the failure has no part in it.
        (script, failure) = await TryAsync(script with { Ops = [.. script.Ops.Take(failure.At + 1)] }) ?? (script, failure);
        for (var before = int.MaxValue; before > script.Ops.Count && !IsOver;)
        {
            before = script.Ops.Count;
            for (var size = Math.Max(1, script.Ops.Count / 2); size >= 1 && !IsOver; size /= 2)
                (script, failure) = await WithoutAsync(script, failure, size);
            (script, failure) = await SmallerAsync(script, failure);
        }

        return (script, failure);
    }

    private async Task<(Script, Failure)?> TryAsync(Script script)
    {
        Tries++;
        return await fails(script) is { } failure ? (script with { Ops = [.. script.Ops.Take(failure.At + 1)] }, failure) : null;
    }

    private async Task<(Script, Failure)> WithoutAsync(Script script, Failure failure, int size)
    {
        for (var at = Math.Max(0, script.Ops.Count - size); at >= 0 && !IsOver; at -= size)
        {
            if (at < script.Ops.Count && await TryAsync(script with { Ops = [.. script.Ops.Take(at), .. script.Ops.Skip(at + size)] }) is { } shorter)
                (script, failure) = shorter;
            if (at > 0 && at < size)
                at = size;
        }

        return (script, failure);
    }

    private async Task<(Script, Failure)> SmallerAsync(Script script, Failure failure)
    {
        for (var at = 0; at < script.Ops.Count && !IsOver; at++)
        {
            foreach (var smaller in Smaller(script.Ops[at]))
            {
                if (at < script.Ops.Count && await TryAsync(script with { Ops = [.. script.Ops.Take(at), smaller, .. script.Ops.Skip(at + 1)] }) is { } found)
                    (script, failure) = found;
            }
        }

        return (script, failure);
    }

    private static IEnumerable<Op> Smaller(Op op)
    {
        const ulong page = Limits.PageBytes;
        if (op.Children.Count > 1)
        {
            for (var i = 0; i < op.Children.Count; i++)
                yield return op with { Children = [.. op.Children.Where((_, at) => at != i)] };
        }

        if (op.Children is [var child])
        {
            if (child.Count > 1)
                yield return op with { Children = [child with { Count = 1 }] };
            if (child.HoleSize > 0)
                yield return op with { Children = [child with { HoleAt = 0, HoleSize = 0 }] };
            if (child.IsFixed || child.IsReadOnly)
                yield return op with { Children = [child with { IsFixed = false, IsReadOnly = false }] };
            if (child.Offset > 0)
                yield return op with { Children = [child with { Offset = 0 }] };
            if (child.Size > page)
                yield return op with { Children = [child with { Size = page }] };
        }

        if (op.Kind is OpKind.Create or OpKind.Resize && op.A > page)
        {
            yield return op with { A = page };
            yield return op with { A = op.A / 2 / page * page };
        }

        if (op.B > page)
            yield return op with { B = page };
        if (op.B > 0 && op.A > 0)
            yield return op with { A = 0 };
        if (op.A % page != 0)
            yield return op with { A = op.A / page * page };
        if (op.Kind == OpKind.Write && op.Fill > 1)
            yield return op with { Fill = 1 };
    }
}
