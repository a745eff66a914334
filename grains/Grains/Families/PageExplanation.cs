using VmoCluster.Core.Family;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Grains.Families;

/// <summary>Where one page's bytes come from, level by level, and who is charged for them.</summary>
internal sealed class PageExplanation(FamilyReader reader, Koid koid, ulong page)
{
    // A layer may be merged or dropped between its name's reading and its own.
    private const int TriesMax = 3;

    public async Task<VmoReply> AnswerAsync()
    {
        var missing = default(LayerId);
        for (var tries = 0; tries < TriesMax; tries++)
        {
            if (await reader.MemberAsync(koid) is not { IsDying: false } member)
                return VmoReply.Fail(VmoStatus.BadHandle, "the VMO was destroyed meanwhile");
            var walk = new PageWalk(member.Top.Id, page);
            if (await TryFindAsync(walk, member) is not { } layer)
                return new() { Explanation = await DescribeAsync(walk) };
            missing = layer;
        }

        return VmoReply.Fail(VmoStatus.DataLoss, $"layer {missing} is looked through and is not in the store");
    }

    // Null: found. Else what is missing.
    private async Task<LayerId?> TryFindAsync(PageWalk walk, FamilyMember member)
    {
        for (var at = page; ;)
        {
            while (walk.Need is var (layer, there))
            {
                if (await reader.PartAsync(layer, there / Limits.ExtentPages) is not { } part)
                    return layer;
                walk.Take(part);
            }

            if (!walk.Found.IsNothing || !member.IsFollower)
                return null;
            if (await reader.MemberAsync(member.Record.Meta.Parent) is not { } parent)
                return new(member.Record.Meta.Parent, 1);
            at += member.Record.Meta.Offset / Limits.PageBytes;
            // A reference has no size of its own.
            if (parent.Record.Meta.Kind != VmoKind.Reference && at >= parent.Top.Size / Limits.PageBytes)
                return null;
            walk.Follow(parent.Top.Id, at);
            member = parent;
        }
    }

    private async Task<Explanation> DescribeAsync(PageWalk walk)
    {
        var homes = walk.Steps.Select(step => step.Layer.Home).Distinct().ToArray();
        var found = await reader.MembersAsync(homes);
        var books = new FamilyBooks();
        for (var i = 0; i < homes.Length; i++)
            books.Take(homes[i], found[i]);
        var shown = walk.Found;
        return new()
        {
            Levels = [.. walk.Steps.Select(step => new ExplainLevel
            {
                Koid = step.Layer.Home,
                Kind = books.Find(step.Layer.Home)?.Record.Meta.Kind ?? VmoKind.Root,
                Offset = step.Page * Limits.PageBytes,
                Layer = step.Layer.ToString(),
                Answer = step.Answer,
            })],
            Blob = shown.IsStored ? $"{shown.Layer}:{shown.Slot.Blob}#{shown.Slot.Index}" : null,
            Charged = !shown.IsStored ? []
                : walk.Steps[^1].Answer == "own" ? [new(shown.Layer.Home, Limits.PageBytes)]
                : [.. books.Split(shown.Layer, Limits.PageBytes).Select(share => new PageCharge(share.User, share.Bytes))],
        };
    }
}
