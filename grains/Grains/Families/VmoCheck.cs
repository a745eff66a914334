using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Families;

/// <summary>
/// Looks at one VMO as it is stored: its record, its stack, what it looks through and who looks through it, its parent and its children, and
/// what its layers hold: all at first, and afterwards the pages of a window only. It is read while it may change, so what it finds is only a suspicion; see <see cref="Scrub"/>.
/// </summary>
internal sealed class VmoCheck(IPageStore store, ISessionStore sessions, Koid koid, bool isFirst, PageWindow? window, CancellationToken cancellation)
{
    /// <summary>
    /// Relatives looked at from this side. Those of a larger family are looked at when their own turn comes, which finds all that would lose
    /// pages; what stays unseen is a name too many.
    /// </summary>
    private const int NumbersMax = 1000;
    private const int RelativesMax = 20_000;

    private readonly FamilyReader _reader = new(store, cancellation);
    private readonly List<Finding> _findings = [];

    /// <summary>Records, layers and blobs looked at.</summary>
    public long Checked { get; private set; }

    public async Task<List<Finding>> FindAsync()
    {
        try
        {
            await LookAsync();
        }
        catch (InvalidDataException exception)
        {
            Find("damaged", "record", exception.Message);
        }
        catch (StoreException exception) when (exception.Status is VmoStatus.DataIntegrity or VmoStatus.DataLoss)
        {
            Find("damaged", "record", exception.Message);
        }

        return _findings;
    }

    private async Task LookAsync()
    {
        if (await store.LoadRecordAsync(koid, cancellation) is not { Existence: Existence.Exists, Hash: { } hash })
            return;
        Checked++;
        var record = VmoRecord.Decode(hash);
        CheckHandles(record);
        await CheckWorkAsync(record, hash.Owner);
        if (await TopAsync(record) is not { } top)
            return;
        var member = new FamilyMember(record, top);
        var stack = await StackAsync(member);
        if (isFirst)
        {
            await CheckNumbersAsync(record, stack);
            await CheckWindowsAsync(member);
            await CheckUsersAsync(record, stack);
            await CheckChildrenAsync(record);
            await CheckParentAsync(record);
        }
        else
        {
            // Told with the portion before.
            _findings.Clear();
        }

        foreach (var layer in stack)
        {
            // What is being freed is neither whole nor missed.
            if (member.IsDying && (layer == top || !IsUsed(member, layer)))
                continue;
            var check = new LayerCheck(store, _reader, layer, isFirst, window, cancellation);
            _findings.AddRange(await check.FindAsync());
            Checked += 1 + check.Checked;
        }
    }

    private static bool IsUsed(FamilyMember member, LayerSummary layer) => member.Uses(layer.Id.Number) || member.Record.Users.ContainsKey(layer.Id.Number);

    private void CheckHandles(VmoRecord record)
    {
        if (record.State == VmoState.Alive && record.Handles.LiveCount == 0)
            Find("count", "handles", "the VMO has no handle and is not being destroyed");
        if (record.State != VmoState.Alive && record.Handles.LiveCount > 0)
            Find("count", "handles", $"the VMO has {record.Handles.LiveCount} handles and is closed");
    }

    // Work that is decided is finished by the VMO's owner, or by who inherits from it.
    private async Task CheckWorkAsync(VmoRecord record, Owner owner)
    {
        if (record.Intent is not { } intent)
            return;
        var session = owner.IsReleased ? default : await sessions.ReadSessionAsync(owner.Session, cancellation);
        if (!session.Exists || session.IsDead)
            Find("unfinished", $"intent {intent.Request}", intent.Births.Count == 0
                ? "the freezing of the top is decided and nobody finishes it"
                : $"the birth of {intent.Births.Count} children from {intent.Births[0].Meta.Koid} on is decided and nobody finishes it");
    }

    private async Task<LayerSummary?> TopAsync(VmoRecord record)
    {
        var number = record.Top.Number;
        while (true)
        {
            Checked++;
            if (await LayerAsync(new(koid, number), "the top") is not { } layer)
                return null;
            if (!layer.IsFrozen)
                return layer;
            if (layer.Next <= number)
            {
                Find("damaged", $"layer {layer.Id}", $"layer {layer.Id} is frozen and names {layer.Next} as the one above it");
                return null;
            }

            number = layer.Next;
        }
    }

    // From the top down.
    private async Task<List<LayerSummary>> StackAsync(FamilyMember member)
    {
        var stack = new List<LayerSummary> { member.Top };
        while (stack[^1].Below.Under is > 0 and var under)
        {
            if (await LayerAsync(new(koid, under), $"under layer {stack[^1].Id}") is not { } layer)
                break;
            if (!layer.IsFrozen)
                Find("damaged", $"layer {layer.Id}", $"layer {layer.Id} lies under layer {stack[^1].Id} and is not frozen");
            // What lay between may have been folded into the one above.
            else if ((layer.Next <= under || layer.Next > stack[^1].Id.Number) && !(member.IsDying && stack.Count == 1))
                Find("damaged", $"layer {layer.Id}", $"layer {layer.Id} names {layer.Next} as the one above it, which is {stack[^1].Id.Number}");
            stack.Add(layer);
        }

        return stack;
    }

    // Numbers are given out one after another, so each of late that is not in the stack can be asked for; an older one is found by its key.
    private async Task CheckNumbersAsync(VmoRecord record, List<LayerSummary> stack)
    {
        // A stack that breaks off makes no orphans.
        if (stack[^1].Below.Under != 0)
            return;
        var known = stack.Select(layer => layer.Id.Number).Concat(stack.SelectMany(layer => layer.Folded)).ToHashSet();
        var above = stack[0].Id.Number + 1;
        if (record.Intent is { Freeze: > 0 })
            known.Add(above);
        var first = Math.Max(1, (int)above - NumbersMax);
        var asked = Enumerable.Range(first, (int)above + 1 - first).Select(number => (uint)number).Where(number => !known.Contains(number)).Select(number => new LayerId(koid, number)).ToArray();
        var found = await _reader.HaveAsync(asked);
        for (var i = 0; i < asked.Length; i++)
        {
            if (found[i])
                Find("orphan-layer", $"layer {asked[i]}", $"layer {asked[i]} is not in the VMO's stack");
        }
    }

    private async Task CheckWindowsAsync(FamilyMember member)
    {
        // With its own layers gone, a dying VMO looks through nothing, and has said so.
        if (member.IsDying && member.Top.Below.Under == 0)
            return;
        foreach (var id in await LooksThroughAsync(member, withLeft: false))
        {
            if (await LayerAsync(id, "looked through") is not { } layer)
                continue;
            if (!layer.IsFrozen)
                Find("damaged", $"layer {id}", $"layer {id} is looked through and not frozen");
            if (id.Home == koid)
                continue;
            var home = await _reader.RecordAsync(id.Home);
            if (home?.Users.GetValueOrDefault(id.Number)?.Contains(koid) != true)
                Find("unknown-user", $"layer {id}", $"the VMO looks through layer {id}, and VMO {id.Home} does not know it");
        }
    }

    // By its own windows, and by what it has taken over of others: that lies under its stack, over windows in its turn.
    private async Task<HashSet<LayerId>> LooksThroughAsync(FamilyMember member, bool withLeft)
    {
        var layers = member.Top.Below.Bases.Select(item => item.Layer).ToHashSet();
        var own = layers.FirstOrDefault(layer => layer.Home == member.Koid);
        if (own != default && await _reader.LayerAsync(own) is { } absorbed)
        {
            layers.UnionWith(absorbed.Below.Bases.Select(item => item.Layer));
            // Left already, and not told yet.
            if (withLeft && absorbed.Left is { } left)
                layers.Add(left);
        }

        return layers;
    }

    private async Task CheckUsersAsync(VmoRecord record, List<LayerSummary> stack)
    {
        var unborn = Unborn(record);
        foreach (var (number, users) in record.Users)
        {
            var id = new LayerId(koid, number);
            if (!users.IsEmpty && stack.TrueForAll(layer => layer.Id != id))
                Find("missing-layer", $"layer {id}", $"layer {id} is looked through by {users.Count} VMOs, {users.First} the first, and is not in the stack");
            if (users.Count > RelativesMax)
                continue;
            // Of a pinned user it is not known yet; its home asks until it is.
            var koids = users.Without(record.Pins.UsersOf(number)).Koids.Where(user => !unborn.Contains(user)).ToArray();
            var members = await _reader.MembersAsync(koids);
            for (var i = 0; i < koids.Length; i++)
            {
                if (members[i] is not { } user || !(await LooksThroughAsync(user, withLeft: true)).Contains(id))
                    Find("unknown-user", $"user {koids[i]}", $"VMO {koids[i]} is said to look through layer {id} and {(members[i] is null ? "is not there" : "does not")}");
            }
        }
    }

    private async Task CheckChildrenAsync(VmoRecord record)
    {
        if (record.Children.Count > RelativesMax)
            return;
        var unborn = Unborn(record);
        var koids = record.Children.Snapshots.With(record.Children.Followers).Koids.Where(child => !unborn.Contains(child)).ToArray();
        var children = await _reader.RecordsAsync(koids);
        // A closed VMO asks each of a few; one that a nearer to the root has told already, and that has ended since, is not there when its turn comes.
        var isAsking = record.State == VmoState.Dying && record.Children.AreReparented;
        for (var i = 0; i < koids.Length; i++)
        {
            if (children[i] is null && !isAsking)
                Find("unknown-child", $"child {koids[i]}", $"VMO {koids[i]} is said to be a child and is not there");
            else if (children[i] is not null && !IsHandedOver(record, children[i]!) && !await IsAboveAsync(children[i]!.Meta.Parent))
                Find("unknown-child", $"child {koids[i]}", $"VMO {koids[i]} is said to be a child and is one of VMO {children[i]!.Meta.Parent}");
        }
    }

    // Told by a closed VMO to report beyond it, which then strikes it off.
    private static bool IsHandedOver(VmoRecord closed, VmoRecord child) => closed.State == VmoState.Dying && child.Meta.ParentGeneration < closed.Meta.Generation;

    // Whether a child of that parent is this VMO's: it is the parent, or the parents between are closed.
    private async Task<bool> IsAboveAsync(Koid parent)
    {
        while (parent != koid)
        {
            if (parent.IsNone || await _reader.RecordAsync(parent) is not { State: VmoState.Dying } record)
                return false;
            parent = record.Meta.Parent;
        }

        return true;
    }

    private async Task CheckParentAsync(VmoRecord record)
    {
        if (record.State == VmoState.Dying)
            return;
        for (var parent = record.Meta.Parent; !parent.IsNone;)
        {
            if (await _reader.RecordAsync(parent) is not { } above)
            {
                Find("unknown-child", $"parent {parent}", $"its parent, VMO {parent}, is not there");
                return;
            }

            if (!above.Children.Snapshots.Contains(koid) && !above.Children.Followers.Contains(koid))
                Find("unknown-child", $"parent {parent}", $"VMO {parent} does not know that it is its child");
            if (above.State != VmoState.Dying)
                return;
            parent = above.Meta.Parent;
        }
    }

    private static HashSet<Koid> Unborn(VmoRecord record) => record.Intent is { } intent ? [.. intent.Births.Select(birth => birth.Meta.Koid)] : [];

    private async Task<LayerSummary?> LayerAsync(LayerId id, string place)
    {
        try
        {
            var layer = await _reader.LayerAsync(id);
            if (layer is null)
                Find("missing-layer", $"layer {id}", $"layer {id} ({place}) is not in the store");
            return layer;
        }
        catch (Exception exception) when (exception is InvalidDataException or StoreException { Status: VmoStatus.DataIntegrity })
        {
            Find("damaged", $"layer {id}", $"the head of layer {id} ({place}) cannot be read: {exception.Message}");
            return null;
        }
    }

    private void Find(string what, string subject, string detail) => _findings.Add(new(koid, what, subject, detail));
}
