using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Grains.Families;

/// <summary>
/// One portion of a scrub, about a second of work: VMO by VMO, and when all are done, the keys of the store, to find what no VMO knows of. It
/// reads what others change, so whatever it suspects is looked at again after a while, longer than a step between two commits takes, and only
/// what is found both times is told. It changes nothing, keeps nothing, and activates nobody.
/// </summary>
internal sealed class Scrub(IPageStore store, ISessionStore sessions, TimeProvider time, ScrubCall call, CancellationToken cancellation)
{
    private const int VmosAtOnce = 4;

    // With the second look, an answer comes well within the four seconds that a client waits for one.
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);

    private readonly FamilyReader _reader = new(store, cancellation);
    private long _checked;

    public async Task<ScrubReply> NextAsync()
    {
        var place = ScrubPlace.Of(call.After);
        var family = call.Family.IsNone ? null : await FamilyAsync();
        if (family is { Count: 0 })
            return new() { Outcome = new(VmoStatus.BadHandle, $"there is no VMO {call.Family}") };
        return place.IsKeys ? await KeysAsync(place, family) : await VmosAsync(place.After, family);
    }

    private async Task<ScrubReply> VmosAsync(Koid after, HashSet<Koid>? family)
    {
        var (began, last, suspects, isDone) = (time.GetTimestamp(), after, new List<Finding>(), true);
        await foreach (var koids in family is null ? store.ScanVmosAsync(after, cancellation) : Portions(family, after))
        {
            foreach (var portion in koids.Chunk(VmosAtOnce))
            {
                if (time.GetElapsedTime(began) >= Work)
                {
                    isDone = false;
                    break;
                }

                suspects.AddRange(await CheckAsync(portion, call.Bytes));
                last = portion[^1];
            }

            if (!isDone)
                break;
        }

        if (suspects.Count > 0)
        {
            await Task.Delay(AgainAfter, time, cancellation);
            var looked = _checked;
            var again = await CheckAsync([.. suspects.Select(finding => finding.Koid).Distinct()], suspects.Exists(finding => finding.What == "checksum"));
            (suspects, _checked) = ([.. again.Where(finding => suspects.Exists(finding.IsSame))], looked);
        }

        return Reply(suspects, isDone ? ScrubPlace.FirstKeys : new(false, last, 0, default));
    }

    private async Task<List<Finding>> CheckAsync(IReadOnlyCollection<Koid> koids, bool bytes)
    {
        var found = new List<Finding>();
        foreach (var portion in koids.Chunk(VmosAtOnce))
        {
            var checks = portion.Select(koid => new VmoCheck(store, sessions, koid, bytes, cancellation)).ToArray();
            foreach (var findings in await Task.WhenAll(checks.Select(check => check.FindAsync())))
                found.AddRange(findings);
            _checked += checks.Sum(check => check.Checked);
        }

        return found;
    }

    private async Task<ScrubReply> KeysAsync(ScrubPlace place, HashSet<Koid>? family)
    {
        var (began, at, suspects) = (time.GetTimestamp(), (KeyPlace?)place.Keys, new List<StoredKey>());
        while (at is { } from && time.GetElapsedTime(began) < Work)
        {
            var portion = await store.ListKeysAsync(from, cancellation);
            var keys = portion.Keys.Where(key => family?.Contains(key.Layer.Home) != false).ToArray();
            suspects.AddRange((await new KeyCheck(store, cancellation).FindAsync(keys)).Select(orphan => orphan.Key));
            _checked += keys.Length;
            at = portion.Next;
        }

        var findings = new List<Finding>();
        if (suspects.Count > 0)
        {
            await Task.Delay(AgainAfter, time, cancellation);
            var check = new KeyCheck(store, cancellation);
            findings.AddRange((await check.FindAsync(await check.StandingAsync(suspects))).Select(orphan => orphan.Finding));
        }

        if (at is not { } next)
            return Reply(findings, null);
        return place.Then(next) is { } then
            ? Reply(findings, then)
            : new() { Outcome = new(VmoStatus.Internal, "the store has more keys than one scrub can walk") };
    }

    // All that hang together by kinship or by layers, the closed among them.
    private async Task<HashSet<Koid>> FamilyAsync()
    {
        var family = new HashSet<Koid>();
        var seen = new HashSet<Koid> { call.Family };
        for (var level = new List<Koid> { call.Family }; level.Count > 0;)
        {
            var next = new List<Koid>();
            foreach (var portion in level.Chunk(512))
            {
                var records = await Task.WhenAll(portion.Select(RecordAsync));
                for (var i = 0; i < portion.Length; i++)
                {
                    if (!records[i].Exists)
                        continue;
                    family.Add(portion[i]);
                    if (records[i].Record is { } record)
                        next.AddRange(Kin(record).Where(seen.Add));
                }
            }

            level = next;
        }

        return family;
    }

    private async Task<(bool Exists, VmoRecord? Record)> RecordAsync(Koid koid)
    {
        try
        {
            return await _reader.RecordAsync(koid) is { } record ? (true, record) : (false, null);
        }
        catch (Exception exception) when (exception is InvalidDataException or StoreException { Status: VmoStatus.DataIntegrity })
        {
            // It is there and says nothing: its own turn tells.
            return (true, null);
        }
    }

    private static IEnumerable<Koid> Kin(VmoRecord record) => record.Children.Snapshots.Koids
        .Concat(record.Children.Followers.Koids)
        .Concat(record.Users.Values.SelectMany(users => users.Koids))
        .Append(record.Meta.Parent)
        .Where(koid => !koid.IsNone);

    private static async IAsyncEnumerable<IReadOnlyList<Koid>> Portions(HashSet<Koid> family, Koid after)
    {
        await Task.CompletedTask;
        yield return [.. family.Where(koid => koid > after).Order()];
    }

    private ScrubReply Reply(List<Finding> findings, ScrubPlace? next) => new()
    {
        Checked = _checked,
        Findings = [.. findings.Select(finding => finding.Tell())],
        After = next?.ToKoid() ?? call.After,
        More = next is not null,
    };
}
