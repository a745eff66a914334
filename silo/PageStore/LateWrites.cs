using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace VmoCluster.PageStore;

/// <summary>
/// Sees to it that what was sent and never answered does not arrive any more. A commit's script that comes late is refused by its sequence
/// number; its blobs are plain SETs, and one that came after its name had been unlinked would stand there for good. A connection that was lost
/// here may still be open at the server, with bytes of ours before it: ending it there is what makes them final.
/// </summary>
/// <remarks>
/// Commits of one process go by one connection to each primary, under a name of the process's own. Redis works off a connection in order, so
/// what was sent by the one in use is done when a later command of it is answered; what was sent by those before is done or gone once they are ended.
/// </remarks>
internal sealed class LateWrites(StoreConnection commits, string ours, ILogger log)
{
    /// <summary>Names of connections that commit, each with its process's own id behind.</summary>
    public const string NamePrefix = "vmo-commits-";

    private readonly Lock _lock = new();
    private readonly Dictionary<EndPoint, (Task Running, Task<Line>? Next)> _ends = [];

    // The line below which all of ours have been ended; connections are counted up, so there are none below it any more.
    private readonly ConcurrentDictionary<EndPoint, long> _ended = new();
    private volatile bool _isRefused;

    /// <summary>The name of this process's connections that commit.</summary>
    public string Ours { get; } = ours;

    /// <summary>
    /// Ends this process's former connections to the key's primary, and answers the one that is left. Calls that come while one
    /// is under way share the next.
    /// </summary>
    public Task<Line> EndFormerAsync(RedisKey key)
    {
        var node = commits.PrimaryOf(key);
        lock (_lock)
        {
            var (running, next) = _ends.GetValueOrDefault(node.EndPoint, (Task.CompletedTask, null));
            if (next is not null)
                return next;
            next = AfterAsync(running, node);
            _ends[node.EndPoint] = (running, next);
            return next;
        }
    }

    /// <summary>The connection in use to the key's primary. The same before and after a command: it went down that one.</summary>
    public Task<Line> LineAsync(RedisKey key) => LineAsync(commits.PrimaryOf(key));

    /// <summary>Ends this process's former connections everywhere. What was sent by those in use is done when this comes back.</summary>
    public async Task EndFormerAsync()
    {
        foreach (var node in commits.Primaries)
            await EndFormerAsync(node);
    }

    /// <summary>Ends the connections of another process everywhere; of our own, none.</summary>
    public async Task EndAllOfAsync(string name)
    {
        if (commits.IsGarnet || name == Ours || !name.StartsWith(NamePrefix, StringComparison.Ordinal))
            return;
        foreach (var node in commits.Primaries)
            await EndAsync(node, name, below: long.MaxValue);
    }

    private async Task<Line> AfterAsync(Task running, IServer node)
    {
        await Task.Yield();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task<Line> run;
        lock (_lock)
        {
            // Whoever comes from here on may have sent something since this one began to look.
            run = EndFormerAsync(node);
            _ends[node.EndPoint] = (run, null);
        }

        return await run;
    }

    private async Task<Line> EndFormerAsync(IServer node)
    {
        await Task.Yield();
        var line = await LineAsync(node);
        if (!commits.IsGarnet && _ended.GetValueOrDefault(node.EndPoint) != line.Number && await EndAsync(node, Ours, below: line.Number))
            _ended[node.EndPoint] = line.Number;
        return line;
    }

    // The embedded store is in this process: nothing is on its way to it that it does not have.
    private async Task<Line> LineAsync(IServer node) => new(node.EndPoint, commits.IsGarnet ? 0 : (long)await node.ExecuteAsync("CLIENT", "ID"));

    // A server counts its connections up: those before one have lower numbers.
    private async Task<bool> EndAsync(IServer node, string name, long below)
    {
        try
        {
            var list = (string)(await node.ExecuteAsync("CLIENT", "LIST", "TYPE", "normal"))!;
            foreach (var number in NumbersOf(list, name).Where(number => number < below))
            {
                await node.ExecuteAsync("CLIENT", "KILL", "ID", number);
                PageStoreTelemetry.AddEndedConnection();
            }

            return true;
        }
        catch (RedisServerException refusal)
        {
            // A user that may not: blobs may be left behind by a failure, and a scrub finds them.
            if (!_isRefused)
                PageStoreLog.MayNotEndConnections(log, refusal.Message);
            _isRefused = true;
            return false;
        }
    }

    // A line a client: "id=7 addr=... name=vmo-commits-... age=..."
    private static IEnumerable<long> NumbersOf(string list, string name) =>
        from line in list.Split('\n')
        let words = line.Split(' ')
        where words.Contains("name=" + name)
        select long.Parse(words[0].AsSpan(words[0].IndexOf('=', StringComparison.Ordinal) + 1), NumberStyles.None, CultureInfo.InvariantCulture);

    /// <summary>One connection, for as long as the server runs.</summary>
    public readonly record struct Line(EndPoint Node, long Number);
}
