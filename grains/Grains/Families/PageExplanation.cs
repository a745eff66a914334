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
            var isWhole = true;
            while (isWhole && walk.Need is var (layer, at))
            {
                if (await reader.PartAsync(layer, at / Limits.ExtentPages) is { } part)
                    walk.Take(part);
                else
                    (isWhole, missing) = (false, layer);
            }

            if (isWhole)
                return new() { Explanation = await DescribeAsync(member, walk) };
        }

        return VmoReply.Fail(VmoStatus.DataLoss, $"layer {missing} is looked through and is not in the store");
    }

    private async Task<Explanation> DescribeAsync(FamilyMember member, PageWalk walk)
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
                : shown.Layer == member.Top.Id ? [new(koid, Limits.PageBytes)]
                : [.. books.Split(shown.Layer, Limits.PageBytes).Select(share => new PageCharge(share.User, share.Bytes))],
        };
    }
}
