using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Families;

/// <summary>
/// Reads a family where it is stored, without activating anybody. What it reads is durable, and of different moments: who needs more looks
/// again. Throws <see cref="StoreException"/>, and <see cref="InvalidDataException"/> for damage.
/// </summary>
internal sealed class FamilyReader(IPageStore store, CancellationToken cancellation)
{
    private const int LoadsAtOnce = 64;

    /// <summary>A VMO's record; null if it is gone.</summary>
    public async Task<VmoRecord?> RecordAsync(Koid koid) =>
        await store.LoadRecordAsync(koid, cancellation) is { Existence: Existence.Exists, Hash: { } hash } ? VmoRecord.Decode(hash) : null;

    /// <summary>Records, in the order asked for.</summary>
    public Task<VmoRecord?[]> RecordsAsync(IReadOnlyCollection<Koid> koids) => EachAsync(koids, RecordAsync);

    /// <summary>A VMO; null if it is gone.</summary>
    public async Task<FamilyMember?> MemberAsync(Koid koid)
    {
        for (VmoRecord? before = null; ;)
        {
            if (await RecordAsync(koid) is not { } record)
                return null;
            var top = await LayerAsync(record.Top);
            // The record's top is a hint: a frozen layer names the one that follows it.
            while (top is { Next: > 0 })
                top = await LayerAsync(new(koid, top.Next));
            if (top is not null)
                return new(record, top);
            // Erased since; or frozen and folded since; or damage, when it is the same top again.
            if (record.Top == before?.Top)
                throw new InvalidDataException($"the top layer of VMO {koid} is not in the store");
            before = record;
        }
    }

    /// <summary>VMOs, in the order asked for.</summary>
    public Task<FamilyMember?[]> MembersAsync(IReadOnlyCollection<Koid> koids) => EachAsync(koids, MemberAsync);

    /// <summary>A layer's head; null if there is no such layer.</summary>
    public async Task<LayerSummary?> LayerAsync(LayerId layer) =>
        await store.LoadLayerAsync(layer, LayerSummary.Names, cancellation) is { } stored ? LayerSummary.Decode(layer, stored) : null;

    /// <summary>Which of the layers are in the store.</summary>
    public Task<bool[]> HaveAsync(IReadOnlyCollection<LayerId> layers) => EachAsync(layers, async layer => await store.LoadLayerAsync(layer, [], cancellation) is not null);

    /// <summary>One extent of a layer; null if there is no such layer.</summary>
    public async Task<FrozenPart?> PartAsync(LayerId layer, ulong extent) =>
        await store.LoadLayerAsync(layer, FrozenPart.NamesOf(extent), cancellation) is { } stored ? FrozenPart.Decode(layer, extent, stored) : null;

    /// <summary>Takes into the books whatever they need.</summary>
    public async Task FillAsync(FamilyBooks books)
    {
        while (books.NeededLayers.Count > 0 || books.NeededMembers.Count > 0)
        {
            var (layers, members) = (books.NeededLayers.ToArray(), books.NeededMembers.ToArray());
            var (foundLayers, foundMembers) = (EachAsync(layers, LayerAsync), EachAsync(members, MemberAsync));
            await Task.WhenAll(foundLayers, foundMembers);
            for (var i = 0; i < members.Length; i++)
                books.Take(members[i], (await foundMembers)[i]);
            for (var i = 0; i < layers.Length; i++)
                books.Take(layers[i], (await foundLayers)[i]);
        }
    }

    private static async Task<TFound[]> EachAsync<TAsked, TFound>(IReadOnlyCollection<TAsked> asked, Func<TAsked, Task<TFound>> find)
    {
        var found = new List<TFound>(asked.Count);
        foreach (var portion in asked.Chunk(LoadsAtOnce))
            found.AddRange(await Task.WhenAll(portion.Select(find)));
        return [.. found];
    }
}
