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
        return place.IsKeys ? await KeysAsync(place, family) : await VmosAsync(place, family);
    }

    private async Task<ScrubReply> VmosAsync(ScrubPlace from, HashSet<Koid>? family)
    {
        var (began, suspects) = (time.GetTimestamp(), new List<Look>());
        bool IsOver() => time.GetElapsedTime(began) >= Work;
        var next = await GoOnAsync(from, family, IsOver, suspects);
        var findings = new List<Finding>();
        if (suspects.Count > 0)
        {
            await Task.Delay(AgainAfter, time, cancellation);
            foreach (var portion in suspects.Chunk(VmosAtOnce))
            {
                var again = portion.Select(look => new Look(look.Koid, look.IsFirst, look.Window is { } window && look.Findings.Exists(finding => finding.What == "checksum")
                    ? new(window.From, window.Reached, () => false)
                    : null)).ToArray();
                await Task.WhenAll(again.Select(LookAsync));
                for (var i = 0; i < portion.Length; i++)
                    findings.AddRange(again[i].Findings.Where(finding => portion[i].Findings.Exists(finding.IsSame)));
            }
        }

        return Reply(findings, next);
    }

    // Where the next portion begins.
    private async Task<ScrubPlace> GoOnAsync(ScrubPlace from, HashSet<Koid>? family, Func<bool> isOver, List<Look> suspects)
    {
        var isPart = from.Unit != ScrubPlace.Whole && !from.Vmo.IsNone;
        var (after, last) = (isPart ? new Koid(from.Vmo.Value - 1) : from.Vmo, from);
        await foreach (var koids in family is null ? store.ScanVmosAsync(after, cancellation) : Portions(family, after))
        {
            foreach (var portion in Together(koids, isPart ? from.Vmo : Koid.None))
            {
                if (last != from && isOver())
                    return last;
                var looks = portion.Select(koid =>
                {
                    var unit = isPart && koid == from.Vmo ? from.Unit : 0;
                    return new Look(koid, unit == 0, call.Bytes ? new(unit, int.MaxValue, isOver) : null);
                }).ToArray();
                await Task.WhenAll(looks.Select(LookAsync));
                foreach (var look in looks)
                {
                    _checked += look.Checked;
                    if (look.Findings.Count > 0)
                        suspects.Add(look);
                    // The portion after this begins inside this VMO; those that follow it are looked at then.
                    if (look.Window is { IsCut: true } cut)
                        return new(false, look.Koid, Math.Min(cut.Reached, ScrubPlace.Whole - 1), 0, default);
                }

                last = ScrubPlace.Done(portion[^1]);
            }
        }

        return ScrubPlace.FirstKeys;
    }

    // A large VMO is looked at alone, so that what is read of others is not read in vain.
    private static IEnumerable<Koid[]> Together(IReadOnlyList<Koid> koids, Koid alone) =>
        koids.Count > 0 && koids[0] == alone ? koids.Skip(1).Chunk(VmosAtOnce).Prepend([alone]) : koids.Chunk(VmosAtOnce);

    private async Task LookAsync(Look look)
    {
        var check = new VmoCheck(store, sessions, look.Koid, look.IsFirst, look.Window, cancellation);
        look.Findings = await check.FindAsync();
        look.Checked = check.Checked;
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

    /// <summary>One look at a VMO.</summary>
    private sealed class Look(Koid koid, bool isFirst, PageWindow? window)
    {
        public Koid Koid => koid;
        public bool IsFirst => isFirst;

        /// <summary>The pages read; null: none.</summary>
        public PageWindow? Window => window;
        public List<Finding> Findings { get; set; } = [];
        public long Checked { get; set; }
    }
}
