using System.Collections.Concurrent;
using VmoCluster.Core.Live;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>
/// What live parents show, for all VMOs of this silo: asks each ancestor for its grant, puts the views together, and answers recalls. Concurrent
/// misses of one extent are one walk.
/// </summary>
public sealed class LiveViews(HeldGrants grants, ISiloSession session, IGrainFactory grains, TimeProvider time) : IGrantHolder
{
    /// <summary>How long those are waited for that may not be needed, since the last of them has answered: one whose silo is dead holds up nobody.</summary>
    private static readonly TimeSpan HintPatience = TimeSpan.FromMilliseconds(250);

    /// <summary>Walks over one extent before the caller is told to come again: its ancestors are changed faster than they can be asked.</summary>
    private const int WalksMax = 20;

    private readonly ConcurrentDictionary<(Koid Parent, ulong Extent), Lazy<Task<(LiveView? View, Outcome Outcome)>>> _walking = new();
    private readonly Lock _lock = new();
    private IGrantHolder? _self;

    /// <inheritdoc/>
    public async Task RecallAsync(Koid vmo, ulong holder, ulong[]? areas)
    {
        // Whoever waits at a gate that nobody leaves any more would wait for good.
        await grants.RecallAsync(vmo, areas is null ? null : Array.ConvertAll(areas, area => new GrantArea(area))).WaitAsync(GrantHolders.Direct, time);
        if (session.Id != holder)
            throw new InvalidOperationException("the silo's session is another");
    }

    /// <summary>A view of an extent of a live parent, or why there is none at present.</summary>
    public async Task<(LiveView? View, Outcome Outcome)> LoadAsync(Koid parent, ulong extent)
    {
        var key = (parent, extent);
        var walk = _walking.GetOrAdd(key, _ => new(() => Task.Run(() => WalkAsync(parent, extent))));
        try
        {
            return await walk.Value;
        }
        finally
        {
            _walking.TryRemove(new(key, walk));
        }
    }

    /// <summary>Asks live ancestors for their pins and the whole of them.</summary>
    public Task<MomentWalk> GatherAsync(Gather gather) => Task.Run(async () =>
    {
        var walk = new MomentWalk(gather.First, gather.Lineage, gather.Call, gather.Known);
        var asking = new Dictionary<Koid, Task<(PinReply? Reply, Grant? Grant)>>();
        while (walk.Next() is { Count: > 0 } round)
        {
            var asked = round.Select(vmo => Ask(asking, vmo, () => PinnedAsync(vmo, gather.Call))).ToArray();
            await AnsweredAsync(asked, needed: 1);
            walk.Take([.. asked.Select(ask => ask.IsCompletedSuccessfully ? ask.Result : default)]);
        }

        return walk;
    });

    private async Task<(PinReply? Reply, Grant? Grant)> PinnedAsync(Koid vmo, PinCall call)
    {
        var mark = grants.Mark();
        var reply = await PinAsync(vmo, call);
        // An answer that a recall has overtaken may be older than that recall.
        return (reply, reply is { Outcome.IsOk: true, IsTorn: false } ? grants.Accept(MomentWalk.GrantOf(vmo, call, reply), mark, isTold: false) : null);
    }

    private async Task<PinReply> PinAsync(Koid vmo, PinCall call)
    {
        if (session.LineageOf(call.Session) is not { } lineage)
            return new() { Outcome = new(VmoStatus.ShouldWait, "the silo has no session at present", 200) };
        try
        {
            var reply = await grains.GetGrain<IVmoUpkeepGrain>(Placement.VmoKey(vmo)).PinAsync(call, Self, lineage);
            return reply.Outcome.Status == VmoStatus.BadHandle ? new() { Outcome = new(VmoStatus.Io, $"VMO {vmo}, a live ancestor, is gone", 100) } : reply;
        }
        catch (Exception exception) // Orleans' ways of not getting through are many; all of them mean: not now.
        {
            return new() { Outcome = new(VmoStatus.Io, $"VMO {vmo} could not be asked: {exception.Message}", 100) };
        }
    }

    // One that was asked as a hint and has not answered is not asked a second time.
    private static Task<T> Ask<TKey, T>(Dictionary<TKey, Task<T>> asking, TKey key, Func<Task<T>> ask)
        where TKey : notnull => asking.TryGetValue(key, out var under) && !under.IsCompleted ? under : asking[key] = ask();

    private async Task AnsweredAsync<T>(Task<T>[] asked, int needed)
    {
        await Task.WhenAll(asked.Take(needed));
        var all = Task.WhenAll(asked);
        for (int open = asked.Count(ask => !ask.IsCompleted), left; open > 0; open = left)
        {
            await Task.WhenAny(all, Task.Delay(HintPatience, time));
            left = asked.Count(ask => !ask.IsCompleted);
            if (left == open)
                return;
        }
    }

    private IGrantHolder Self
    {
        get
        {
            lock (_lock)
                return _self ??= grains.CreateObjectReference<IGrantHolder>(this);
        }
    }

    private async Task<(LiveView? View, Outcome Outcome)> WalkAsync(Koid parent, ulong extent)
    {
        for (var walks = 0; walks < WalksMax; walks++)
        {
            var mine = session.Id;
            if (mine == 0 || !session.IsValid(mine))
                return (null, new(VmoStatus.ShouldWait, "the silo has no session at present", 200));
            var asking = new Dictionary<(Koid, ulong), Task<(Grant? Grant, Outcome Outcome)>>();
            var fetch = new LiveFetch(parent, extent, (vmo, there) => grants.Find(vmo, there, mine));
            while (fetch.Next() is { Count: > 0 } round)
            {
                var asked = round.Select(one => Ask(asking, one, () => GrantAsync(one.Vmo, one.Extent, mine))).ToArray();
                await AnsweredAsync(asked, fetch.Needed);
                if (asked.Take(fetch.Needed).FirstOrDefault(ask => ask.Result.Grant is null) is { } refused)
                    return (null, refused.Result.Outcome);
                foreach (var (one, ask) in asking.Where(ask => ask.Value.IsCompletedSuccessfully).ToArray())
                {
                    asking.Remove(one);
                    if (ask.Result.Grant is { } grant)
                        fetch.Take(one, grant);
                }
            }

            if (fetch.Compose(mine) is { } view)
            {
                grants.Put(parent, extent, view);
                return (view, Outcome.Ok);
            }
        }

        return (null, new(VmoStatus.ShouldWait, $"an ancestor's pages changed {WalksMax} times while they were asked for", 20));
    }

    private async Task<(Grant? Grant, Outcome Outcome)> GrantAsync(Koid vmo, ulong extent, ulong mine)
    {
        for (var asked = 0; asked < WalksMax; asked++)
        {
            if (grants.Find(vmo, extent, mine) is { } held)
                return (held, Outcome.Ok);
            var (mark, gone) = (grants.Mark(), grants.Gone);
            GrantReply reply;
            try
            {
                reply = await grains.GetGrain<IVmoUpkeepGrain>(Placement.VmoKey(vmo)).GrantAsync(new(mine, extent, [.. gone.Select(GrantCodec.Told)], GrantArea.OrderMax), Self);
            }
            catch (Exception exception) // Orleans' ways of not getting through are many; all of them mean: not now.
            {
                return (null, new(VmoStatus.Io, $"VMO {vmo} could not be asked: {exception.Message}", 100));
            }

            if (!reply.Outcome.IsOk)
                return (null, reply.Outcome);
            // An answer that a recall has overtaken may be older than that recall.
            if (grants.Accept(GrantCodec.GrantOf(vmo, extent, mine, reply), mark, isTold: true) is { } accepted)
                return (accepted, Outcome.Ok);
        }

        return (null, new(VmoStatus.ShouldWait, $"VMO {vmo} took its pages back {WalksMax} times while they were asked for", 20));
    }
}
