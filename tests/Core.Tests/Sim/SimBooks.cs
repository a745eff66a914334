using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>The accounts of a simulated family, out of its store.</summary>
public static class SimBooks
{
    /// <summary>The books with all they need to answer for some VMOs.</summary>
    public static FamilyBooks Fill(SimFamily family, IEnumerable<Koid> koids)
    {
        var books = new FamilyBooks();
        foreach (var koid in koids)
            books.Ask(koid);
        while (books.NeededLayers.Count > 0 || books.NeededMembers.Count > 0)
        {
            foreach (var koid in books.NeededMembers.ToList())
                books.Take(koid, family.Store.Exists(koid) ? Member(family, koid) : null);
            foreach (var layer in books.NeededLayers.ToList())
                books.Take(layer, Layer(family, layer));
        }

        return books;
    }

    private static FamilyMember Member(SimFamily family, Koid koid)
    {
        var record = VmoRecord.Decode(family.Store.LoadRecord(koid));
        var top = Layer(family, record.Top)!;
        while (top.Next != 0)
            top = Layer(family, new(koid, top.Next))!;
        return new(record, top);
    }

    /// <summary>All layers, what they store and what they look through.</summary>
    public static string Describe(SimFamily family) => string.Join('\n', family.Store.Layers.Where(id => family.Store.Exists(id.Home)).Select(id =>
        Layer(family, id) is { } layer ? $"layer {id}: {layer.StoredBytes} bytes, under it {layer.Below.Under}, looks through {string.Join(' ', layer.LooksThrough)}, next {layer.Next}" : $"layer {id}: no head"));

    private static LayerSummary? Layer(SimFamily family, LayerId layer) =>
        family.Store.LoadLayer(layer, LayerSummary.Names) is { } stored ? LayerSummary.Decode(layer, stored) : null;

    /// <summary>Counted slot by slot, without the sums that heads keep. The top of a dying VMO is being freed, and charged to nobody.</summary>
    public static ulong StoredBytes(SimFamily family)
    {
        var pages = 0ul;
        foreach (var id in family.Store.Layers)
        {
            if (!family.Store.Exists(id.Home) || (Member(family, id.Home) is { IsDying: true } member && member.Top.Id == id))
                continue;
            var runs = Layer(family, id)!.Runs;
            foreach (var field in family.Store.Scan(id))
            {
                FieldNames.TryReadLeaf(field.Name.Span, out var number);
                if (LeafCodec.Decode(field.Value.Span) is not { } leaf)
                    continue;
                for (var i = 0; i < Limits.LeafPages; i++)
                {
                    var page = new PageIndex((number * Limits.LeafPages) + (ulong)i);
                    if (leaf[i].IsStored && !runs.Any(run => run.IsClearing && run.Version > leaf[i].Version && run.Range.Contains(page)))
                        pages++;
                }
            }
        }

        return pages * Limits.PageBytes;
    }
}
