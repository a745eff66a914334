using System.Diagnostics;
using VmoCluster.Fsx.Model;
using VmoCluster.Fsx.Ops;
using VmoCluster.Fsx.Targets;

namespace VmoCluster.Fsx;

/// <summary>Does operations on a target and on the model and compares what they say; at rest, everything.</summary>
internal sealed class Play(ITarget target, ModelFamily model)
{
    private const ulong ReadAtOnce = 64 * ModelVmo.Page;

    // Beyond it a VMO is looked at only where scripts may write.
    private const ulong WholeMax = 700 * ModelVmo.Page;

    /// <summary>Operations done.</summary>
    public int Count { get; private set; }

    /// <summary>Plays a script to its end, closes everything, and sees that nothing is left. Null: target and model agree.</summary>
    public static async Task<Failure?> ScriptAsync(Script script, Func<Script, ITarget> start)
    {
        await using var target = start(script);
        var play = new Play(target, new());
        for (var i = 0; i < script.Ops.Count; i++)
        {
            if (await play.DoAsync(script.Ops[i]) is { } wrong)
                return new(i, wrong);
        }

        return await play.EndAsync() is { } left ? new(script.Ops.Count, left) : null;
    }

    /// <summary>Does one operation. Null: they agree, or nobody did it.</summary>
    public async Task<string?> DoAsync(Op op)
    {
        try
        {
            // The target is asked with what the model's handles are before it: a name that there is not is nobody's.
            if (model.Do(op) is not { } wanted)
                return null;
            Count++;
            return op.Kind switch
            {
                OpKind.Rest => await RestAsync(),
                OpKind.Crash or OpKind.Some or OpKind.Trim => Disturb(op),
                OpKind.Read => await ReadAsync(op, wanted),
                OpKind.Lookup => await LookupAsync(op, wanted),
                OpKind.Info => await InfoAsync(op.On, wanted, atRest: false),
                OpKind.Create => Compare(wanted, await target.CreateAsync(op.On, op.A, op.IsFixed)),
                OpKind.Write => Compare(wanted, await target.WriteAsync(op.On, op.A, Op.Bytes(op.Fill, op.A, op.B))),
                OpKind.Dup => Compare(wanted, await target.DuplicateAsync(op.On, op.New, op.Rights)),
                OpKind.Clone => Compare(wanted, await target.CloneAsync(op.On, op.Children)),
                _ => Compare(wanted, await target.CallAsync(op)),
            };
        }
        catch (Exception broken) // The edge of an operation: whatever breaks in the target is what this program looks for.
        {
            return $"{broken.GetType().Name}: {broken.Message}\n{broken.StackTrace}";
        }
    }

    /// <summary>Rests, closes every handle, and sees that nothing is left.</summary>
    public async Task<string?> EndAsync()
    {
        if (await DoAsync(new(OpKind.Rest)) is { } wrong)
            return wrong;
        foreach (var name in model.Handles.Where(handle => !handle.Value.IsClosed).Select(handle => handle.Key).ToList())
        {
            if (await DoAsync(new(OpKind.Close, name)) is { } refused)
                return $"close {name}: {refused}";
        }

        try
        {
            return await UntilAsync(target.CheckEmptyAsync) is { } left ? $"all handles are closed, and there are still {left}" : null;
        }
        catch (Exception broken) // As above.
        {
            return $"{broken.GetType().Name}: {broken.Message}\n{broken.StackTrace}";
        }
    }

    private static string? Compare(Answer wanted, Outcome found) =>
        wanted.Statuses.Contains(found.Status) ? null : $"{string.Join(" or ", wanted.Statuses)} is right, and it is {found.Status} ({found.Message})";

    private string? Disturb(Op op)
    {
        target.Disturb(op);
        return null;
    }

    private async Task<string?> ReadAsync(Op op, Answer wanted)
    {
        var (outcome, data) = await target.ReadAsync(op.On, op.A, op.B);
        return Compare(wanted, outcome) ?? (wanted.Data is { } bytes ? Compare(op.On, op.A, bytes, data) : null);
    }

    private static string? Compare(HandleName on, ulong offset, byte[] wanted, byte[] found)
    {
        var same = wanted.AsSpan().CommonPrefixLength(found);
        return same == wanted.Length && same == found.Length
            ? null
            : $"{on}, {wanted.Length} bytes at {Amount.Format(offset)}: byte {Amount.Format(offset + (ulong)same)} is {(same < found.Length ? found[same] : "not there")}, and {(same < wanted.Length ? wanted[same] : "not there")} is right";
    }

    // Which zeros are stored as such is nobody's business; what is not zero is present and said to be data, and what is committed is present.
    private async Task<string?> LookupAsync(Op op, Answer wanted)
    {
        var (outcome, runs) = await target.LookupAsync(op.On, op.A, op.B);
        if (Compare(wanted, outcome) is { } wrong || !wanted.IsOk)
            return Compare(wanted, outcome);
        var vmo = model.Handles[op.On].Vmo;
        var range = PageRange.Covering(new(op.A, Math.Min(op.B, vmo.Size - op.A)));
        var (data, present) = (new HashSet<ulong>(), new HashSet<ulong>());
        foreach (var run in runs)
        {
            var pages = PageRange.Covering(run.Range).Intersect(range);
            for (var page = pages.First.Value; page < pages.End.Value && present.Count < 10_000; page++)
            {
                present.Add(page);
                if (!run.IsZero)
                    data.Add(page);
            }
        }

        for (var page = range.First.Value; page < range.End.Value && page < range.First.Value + 1000; page++)
        {
            if (vmo.IsZero(page) == data.Contains(page))
                return $"{op.On}: lookup says that page {page} is {(data.Contains(page) ? "data" : "zero or absent")}, and it is not";
            if (vmo.IsCommitted(page) && !present.Contains(page))
                return $"{op.On}: lookup does not list page {page}, which is committed";
        }

        return null;
    }

    private async Task<string?> RestAsync()
    {
        await target.SettleAsync();
        foreach (var (name, handle) in model.Open.ToList())
        {
            if (await UntilAsync(() => InfoAsync(name, Answer.Ok, atRest: true)) is { } wrong)
                return wrong;
            if ((handle.Rights & VmoRights.Read) == 0)
                continue;
            for (var at = 0ul; at < Math.Min(handle.Vmo.Size, WholeMax); at += ReadAtOnce)
            {
                var length = Math.Min(ReadAtOnce, handle.Vmo.Size - at);
                if (await ReadAsync(new(OpKind.Read, name) { A = at, B = length }, new([VmoStatus.Ok], handle.Vmo.Read(at, length))) is { } other)
                    return other;
            }
        }

        return await target.CheckBooksAsync();
    }

    private async Task<string?> InfoAsync(HandleName name, Answer wanted, bool atRest)
    {
        var (outcome, found) = await target.InfoAsync(name);
        if (Compare(wanted, outcome) is { } wrong || found is not { } info)
            return Compare(wanted, outcome);
        var vmo = model.Handles[name].Vmo;
        var children = vmo.Children.Count;
        return Differs("size", vmo.Size, info.Size)
            ?? (info.ContentSize is { } content ? Differs("content size", vmo.ContentSize, content) : null)
            ?? Differs("kind", vmo.Kind, info.Kind)
            ?? Differs("rights", model.Handles[name].Rights, info.Rights)
            ?? Differs("offset", vmo.Offset, info.Offset)
            ?? Differs("committed bytes", vmo.CommittedBytes, info.CommittedBytes)
            ?? (info.HandleCount is { } handles ? Differs("handles", vmo.Handles.Count(handle => !handle.IsClosed), handles) : null)
            // Until all is at rest the dead may still be counted, one for all the children that it leaves to its parent. Never is nobody counted where one lives (P9).
            ?? (info.ChildCount == 0 && children > 0 ? $"{name} has no children, and {children} live" : null)
            ?? (children > 0 && (info.Signals & VmoSignals.ZeroChildren) != 0 ? $"{name} shows ZERO_CHILDREN over {children} children" : null)
            ?? (atRest ? Differs("children", children, info.ChildCount) : null)
            ?? (atRest ? Differs("ZERO_CHILDREN", children == 0, (info.Signals & VmoSignals.ZeroChildren) != 0) : null)
            ?? (atRest ? Differs("parent", vmo.Parent?.Name, target.NameOf(info.Parent)) : null);

        string? Differs<T>(string what, T right, T isNow) => Equals(right, isNow) ? null : $"{name}: {what} is {isNow}, and {right} is right";
    }

    private async Task<string?> UntilAsync(Func<Task<string?>> wrong)
    {
        for (var began = Stopwatch.GetTimestamp(); ;)
        {
            if (await wrong() is not { } found)
                return null;
            if (Stopwatch.GetElapsedTime(began) >= target.Patience)
                return found;
            await Task.Delay(50);
        }
    }
}
