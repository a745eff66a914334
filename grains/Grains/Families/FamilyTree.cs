using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Messages;

namespace VmoCluster.Grains.Families;

/// <summary>
/// A VMO's family for people: its ancestors without names and contents, then itself and all below it in the order of koids. A closed snapshot
/// that is kept for its layers is not shown: its children belong to the nearest ancestor that lives. Siblings are only counted.
/// </summary>
internal sealed class FamilyTree(FamilyReader reader, Koid koid)
{
    /// <summary>Ancestors shown at most, the nearest.</summary>
    private const int AncestorsMax = 10 * Limits.TreeNodesMax;

    /// <summary>One answer: the nodes above a koid, and whether more follow.</summary>
    public async Task<VmoReply> AnswerAsync(Koid after)
    {
        if (await reader.RecordAsync(koid) is not { } record)
            return VmoReply.Fail(VmoStatus.BadHandle, "the VMO was destroyed meanwhile");
        var nodes = await AncestorsAsync(record.Meta.Parent, after.IsNone ? AncestorsMax : 1);
        var parent = nodes.Count > 0 ? nodes[^1].Koid : Koid.None;
        if (!after.IsNone)
            nodes.Clear();
        var below = await BelowAsync(parent);
        var page = below.Keys.Where(found => found > after).Order().Take(Limits.TreeNodesMax + 1).ToArray();
        var isMore = page.Length > Limits.TreeNodesMax;
        page = page[..Math.Min(page.Length, Limits.TreeNodesMax)];
        var books = new FamilyBooks();
        foreach (var member in page)
            books.Ask(member);
        await reader.FillAsync(books);
        var members = page.Select(books.Find).OfType<FamilyMember>().Where(member => !member.IsDying).ToArray();
        // A reference is as large as what it refers to.
        var targets = members.Where(member => member.Record.Meta.Kind == VmoKind.Reference).Select(member => member.Record.Meta.ShownVmo).Distinct().ToArray();
        var sizes = (await reader.MembersAsync(targets)).OfType<FamilyMember>().ToDictionary(target => target.Koid, target => target.Top.Size);
        nodes.AddRange(members.Select(member => Describe(member, below[member.Koid], books) is var node && member.Record.Meta.Kind == VmoKind.Reference
            ? node with { Size = sizes.GetValueOrDefault(member.Record.Meta.ShownVmo, node.Size) }
            : node));
        return new() { Tree = [.. nodes], Number = isMore ? 1u : 0u };
    }

    // From the farthest to the nearest.
    private async Task<List<TreeNode>> AncestorsAsync(Koid parent, int most)
    {
        var living = new List<VmoRecord>();
        for (var next = parent; !next.IsNone && living.Count <= most;)
        {
            if (await reader.RecordAsync(next) is not { } record)
                break;
            if (record.State != VmoState.Dying)
                living.Add(record);
            next = record.Meta.Parent;
        }

        var nodes = new List<TreeNode>();
        for (var i = Math.Min(living.Count, most) - 1; i >= 0; i--)
        {
            var record = living[i];
            nodes.Add(new()
            {
                Koid = record.Meta.Koid,
                Parent = i + 1 < living.Count ? living[i + 1].Meta.Koid : Koid.None,
                Kind = record.Meta.Kind,
                Offset = record.Meta.Offset,
                IsGhost = record.State == VmoState.Ghost,
                ChildCount = record.Children.Count,
            });
        }

        return nodes;
    }

    // The VMO and all below it, each with the parent it is shown under.
    private async Task<Dictionary<Koid, Koid>> BelowAsync(Koid parent)
    {
        var shown = new Dictionary<Koid, Koid> { [koid] = parent };
        var dying = new HashSet<Koid>();
        for (var level = new List<Koid> { koid }; level.Count > 0;)
        {
            var records = await reader.RecordsAsync(level);
            var next = new List<Koid>();
            for (var i = 0; i < level.Count; i++)
            {
                // One that is not there is not born yet, or died meanwhile.
                if (records[i] is not { State: not VmoState.Dying })
                    dying.Add(level[i]);
                foreach (var child in records[i]?.Children.Snapshots.With(records[i]!.Children.Followers).Koids ?? [])
                {
                    if (shown.TryAdd(child, dying.Contains(level[i]) ? shown[level[i]] : level[i]))
                        next.Add(child);
                }
            }

            level = next;
        }

        foreach (var gone in dying)
            shown.Remove(gone);
        return shown;
    }

    private static TreeNode Describe(FamilyMember member, Koid parent, FamilyBooks books) => new()
    {
        Koid = member.Koid,
        Parent = parent,
        Kind = member.Record.Meta.Kind,
        Offset = member.Record.Meta.Offset,
        Size = member.Top.Size,
        OwnPages = member.Top.Counts.Stored,
        CommittedBytes = member.Top.CommittedBytes,
        ChargedBytes = books.ChargedTo(member.Koid),
        Name = member.Record.Name,
        IsGhost = member.Record.State == VmoState.Ghost,
        ChildCount = member.Record.Children.Count,
    };
}
