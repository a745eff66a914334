using System.Globalization;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Sessions as fields of one hash. <c>s:ID</c> is "counter acknowledged alive|dead", <c>n:ID</c> the last letter's number, <c>m:ID:N</c>
/// letter N as "kind koid detail", <c>d:ID</c> a description for people, <c>c:ID</c> the name of its process's
/// connections for commits. A dead session is forgotten when nothing of it is unfinished.
/// <c>store</c> is the store's id, which all of this asks for: a session that another store does not know is not dead. <c>beat</c> is the
/// heartbeat, moved by each renewal.
/// </summary>
internal sealed class RedisSessionStore(StoreConnection control, LateWrites late, StoreWatch watch, StoreKeys keys, StoreScripts scripts, string store, TimeProvider time) : ISessionStore
{
    /// <summary>Letters brought by one renewal; the next brings more.</summary>
    private const int LettersPerRenewal = 128;

    /// <summary>Letters that may wait for one session. A session that does not renew is dead long before.</summary>
    private const int LettersWaitingMax = 65_536;

    /// <inheritdoc/>
    public StoreCondition Condition => watch.Condition;

    /// <inheritdoc/>
    public Task ConditionMoved => watch.ConditionMoved;

    /// <inheritdoc/>
    public void Adopt(long lineage) => watch.Adopt(lineage);

    /// <inheritdoc/>
    public async ValueTask OpenSessionAsync(ulong session, string description, CancellationToken cancellation)
    {
        var opened = await EvaluateAsync("session-open", scripts.OpenSession, [Id(session), "1 0 alive", description, late.Ours], cancellation);
        if ((int)opened == 0)
            throw new StoreException(VmoStatus.Io, "A session of this id was opened before: take another id.");
    }

    /// <inheritdoc/>
    public async ValueTask<Renewal> RenewAsync(ulong session, ulong counter, ulong ackedLetter, CancellationToken cancellation)
    {
        // Not acknowledged by replicas: a failover that loses a renewal only makes the session look older than it is.
        var answer = (RedisResult[])(await StoreCall.RunAsync(
            "session-renew",
            1,
            () => control.EvaluateAsync(
                scripts.RenewSession,
                [keys.Sessions],
                [
                    Id(session), counter, ackedLetter, LettersPerRenewal, time.GetUtcNow().ToUnixTimeMilliseconds(), watch.Seen.At.ToUnixTimeMilliseconds(),
                    (long)StoreSighting.BehindMax.TotalMilliseconds, store,
                ],
                replicas: 0),
            time,
            cancellation))!;
        if ((int)answer[0] == 0)
            return new(false, []);
        watch.Saw((string)answer[1]!);
        var letters = new List<Letter>((answer.Length - 2) / 2);
        for (var i = 2; i < answer.Length; i += 2)
            letters.Add(ReadLetter(ulong.Parse((string)answer[i]!, NumberStyles.None, CultureInfo.InvariantCulture), (string)answer[i + 1]!));
        return new(true, letters);
    }

    /// <inheritdoc/>
    public async ValueTask<SessionState> ReadSessionAsync(ulong session, CancellationToken cancellation)
    {
        var found = await StoreCall.RunAsync(
            "session-read", 1, () => control.Database.HashGetAsync(keys.Sessions, ["store", "s:" + Id(session)], CommandFlags.DemandMaster), time, cancellation);
        RequireOurs(found[0]);
        return found[1].IsNull ? default : ReadState((string)found[1]!);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<ulong, SessionState>> ReadSessionsAsync(CancellationToken cancellation)
    {
        var all = await ScanAsync("session-scan", cancellation);
        return all.Where(entry => !entry.Value.IsDead).ToDictionary();
    }

    /// <inheritdoc/>
    public async ValueTask<bool> MarkDeadAsync(ulong session, ulong counterSeen, CancellationToken cancellation)
    {
        var name = await StoreCall.RunAsync(
            "session-read", 1, () => control.Database.HashGetAsync(keys.Sessions, "c:" + Id(session), CommandFlags.DemandMaster), time, cancellation);
        // A session of this process's own: its connections live on, and those before them may still carry what was sent under it.
        if ((string?)name == late.Ours)
            await StoreCall.RunAsync("session-end", 1, FormerEndedAsync, time, cancellation);
        if ((int)await EvaluateAsync("session-mark", scripts.MarkSession, [Id(session), counterSeen], cancellation) == 0)
            return false;
        // Before anybody here takes over what it owned, and unlinks what it had sent ahead. It is dead whether this succeeds or not.
        if (!name.IsNull)
            await StoreCall.RunAsync("session-end", 1, () => EndedAsync((string)name!), time, cancellation);
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<ulong> SendLetterAsync(ulong session, LetterKind kind, Koid vmo, string detail, CancellationToken cancellation)
    {
        var letter = string.Create(CultureInfo.InvariantCulture, $"{(byte)kind} {vmo.Value} {detail}");
        var number = (long)await EvaluateAsync("session-letter", scripts.SendLetter, [Id(session), letter, LettersWaitingMax], cancellation);
        return number >= 0 ? (ulong)number : throw new StoreException(VmoStatus.Io, "Too many letters wait for that session.");
    }

    /// <inheritdoc/>
    public async ValueTask NoteUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation)
    {
        var noted = await StoreCall.RunAsync(
            "session-note",
            1,
            () => control.EvaluateAsync(
                scripts.NoteUnfinished, [keys.Sessions, keys.Unfinished(session), keys.Sessions], [Id(session), vmo.Value, store], watch.ReplicasOfStructure),
            time,
            cancellation);
        if ((int)noted == 0)
            throw new StoreException(VmoStatus.Io, "This silo's session is dead or unknown to the store: nothing new may be begun under it.");
    }

    /// <inheritdoc/>
    public async ValueTask ClearUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation)
    {
        // What is struck off on the word of a past that is lost would be nobody's work.
        await watch.RequireOursAsync();
        await StoreCall.RunAsync(
            "session-clear",
            1,
            () => control.Database.SetRemoveAsync(keys.Unfinished(session), vmo.Value, CommandFlags.DemandMaster),
            time,
            cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<Koid>> ReadUnfinishedAsync(ulong session, CancellationToken cancellation)
    {
        var members = await StoreCall.RunAsync(
            "session-unfinished", 1, () => control.Database.SetMembersAsync(keys.Unfinished(session), CommandFlags.DemandMaster), time, cancellation);
        return Array.ConvertAll(members, member => new Koid((ulong)member));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ulong>> ReadEstatesAsync(CancellationToken cancellation)
    {
        var estates = new List<ulong>();
        foreach (var (session, _) in (await ScanAsync("session-scan", cancellation)).Where(entry => entry.Value.IsDead))
        {
            // Whoever looks for estates finds the empty ones, too, and is the one to forget them.
            var forgotten = await StoreCall.RunAsync(
                "session-forget",
                1,
                () => control.EvaluateAsync(scripts.ForgetSession, [keys.Sessions, keys.Unfinished(session), keys.Sessions], [Id(session), store], replicas: 0),
                time,
                cancellation);
            if ((int)forgotten == 0)
                estates.Add(session);
        }

        if (await StoreCall.RunAsync(
            "session-unfinished", 1, () => control.Database.KeyExistsAsync(keys.Unfinished(ISessionStore.Newborns), CommandFlags.DemandMaster), time, cancellation))
            estates.Add(ISessionStore.Newborns);
        return estates;
    }

    private async Task<bool> FormerEndedAsync()
    {
        await late.EndFormerAsync();
        return true;
    }

    private async Task<bool> EndedAsync(string name)
    {
        await late.EndAllOfAsync(name);
        return true;
    }

    private async Task<Dictionary<ulong, SessionState>> ScanAsync(string operation, CancellationToken cancellation) =>
        await StoreCall.RunAsync(
            operation,
            1,
            async () =>
            {
                var (found, told) = (new Dictionary<ulong, SessionState>(), new Dictionary<ulong, string>());
                await foreach (var entry in control.Database.HashScanAsync(keys.Sessions, "[sd]:*", 512, flags: CommandFlags.DemandMaster))
                {
                    var name = (string)entry.Name!;
                    var id = ulong.Parse(name.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                    if (name[0] == 's')
                        found[id] = ReadState((string)entry.Value!);
                    else
                        told[id] = (string)entry.Value!;
                }

                RequireOurs(await control.Database.HashGetAsync(keys.Sessions, "store", CommandFlags.DemandMaster));
                return found.ToDictionary(pair => pair.Key, pair => pair.Value with { Description = told.GetValueOrDefault(pair.Key, "") });
            },
            time,
            cancellation);

    private Task<RedisResult> EvaluateAsync(string operation, StoreScript script, RedisValue[] values, CancellationToken cancellation) =>
        StoreCall.RunAsync(
            operation, 1, () => control.EvaluateAsync(script, [keys.Sessions], [.. values, store], watch.ReplicasOfStructure), time, cancellation);

    // Of a session that another store does not know nobody may believe that it is dead.
    private void RequireOurs(RedisValue found)
    {
        if (found != store)
            throw new StoreException(VmoStatus.Io, $"this is not the store the silo works on ({store}); what it says of sessions is not believed");
    }

    private static string Id(ulong session) => session.ToString("x", CultureInfo.InvariantCulture);

    private static SessionState ReadState(string stored)
    {
        var parts = stored.Split(' ');
        return new(
            ulong.Parse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture),
            ulong.Parse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture),
            parts[2] == "dead",
            Exists: true);
    }

    private static Letter ReadLetter(ulong number, string stored)
    {
        var parts = stored.Split(' ', 3);
        return new(
            number,
            (LetterKind)byte.Parse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture),
            new(ulong.Parse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture)),
            parts[2]);
    }
}
