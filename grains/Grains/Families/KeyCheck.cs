using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Families;

/// <summary>
/// Looks at keys for those that nobody needs: layers in no VMO's stack, blobs that no slot names. A blob says itself which pages it was written
/// for, so only their leaves are asked.
/// </summary>
internal sealed class KeyCheck(IPageStore store, CancellationToken cancellation)
{
    private readonly FamilyReader _reader = new(store, cancellation);
    private readonly Dictionary<Koid, Home?> _homes = [];

    /// <summary>Those of the keys that are orphans, as far as one look can tell.</summary>
    public async Task<List<(StoredKey Key, Finding Finding)>> FindAsync(IReadOnlyList<StoredKey> keys)
    {
        var koids = keys.Select(key => key.Layer.Home).Distinct().Where(koid => !_homes.ContainsKey(koid)).ToArray();
        var homes = await Task.WhenAll(koids.Select(HomeAsync));
        for (var i = 0; i < koids.Length; i++)
            _homes[koids[i]] = homes[i];
        var orphans = new List<(StoredKey, Finding)>();
        var asked = new List<(StoredKey Key, LayerSummary Layer)>();
        foreach (var key in keys.Distinct())
        {
            var home = _homes[key.Layer.Home];
            var layer = home?.Stack.GetValueOrDefault(key.Layer.Number);
            if (home is { IsUnclear: true } || key.Layer.Number == home?.Coming || home?.Folded.Contains(key.Layer.Number) == true)
                continue;
            if (key.Blob is not { } blob)
            {
                if (layer is null)
                    orphans.Add((key, new(key.Layer.Home, "orphan-layer", $"layer {key.Layer}", $"layer {key.Layer} {(home is null ? "belongs to no VMO" : "is not in the VMO's stack")}")));
            }
            else if (layer is null)
            {
                orphans.Add((key, OrphanBlob(key, home is null ? "belongs to no VMO" : $"belongs to layer {key.Layer}, which is not in the VMO's stack")));
            }
            else if (!IsExcused(home!, layer, blob))
            {
                asked.Add((key, layer));
            }
        }

        orphans.AddRange(await UnnamedAsync(asked));
        return orphans;
    }

    /// <summary>Those of the keys that still stand there.</summary>
    public async Task<List<StoredKey>> StandingAsync(IReadOnlyList<StoredKey> keys)
    {
        var layers = keys.Where(key => key.Blob is null).ToArray();
        var blobs = keys.Where(key => key.Blob is not null).ToArray();
        var isThere = await _reader.HaveAsync([.. layers.Select(key => key.Layer)]);
        var found = await store.ReadBlobsAsync([.. blobs.Select(key => new BlobRead(key.Layer, key.Blob!.Value, 0, new byte[1]))], cancellation);
        return [.. layers.Where((_, i) => isThere[i]), .. blobs.Where((_, i) => found[i])];
    }

    private async Task<Home?> HomeAsync(Koid koid)
    {
        try
        {
            if (await store.LoadRecordAsync(koid, cancellation) is not { Existence: Existence.Exists, Hash: { } hash })
                return null;
            if (await _reader.MemberAsync(koid) is not { } member)
                return null;
            var home = new Home(member, hash);
            for (LayerSummary? layer = member.Top; layer is not null; layer = layer.Below.Under == 0 ? null : await _reader.LayerAsync(new(koid, layer.Below.Under)))
            {
                home.Stack[layer.Id.Number] = layer;
                home.IsUnclear = layer.Below.Under != 0;
                home.Folded.UnionWith(layer.Folded);
            }

            // It stands beside the stack from the moment it is begun to be filled.
            if (await _reader.LayerAsync(new(koid, LayerId.AbsorbedNumber)) is { } absorbed)
                home.Stack[LayerId.AbsorbedNumber] = absorbed;
            return home;
        }
        catch (Exception exception) when (exception is InvalidDataException or StoreException { Status: VmoStatus.DataIntegrity })
        {
            // The VMO's own turn says what is wrong with it.
            return new(null, new(default, 0, [])) { IsUnclear = true };
        }
    }

    // Known garbage is unlinked by the owner; what is doubtful, when somebody has counted; what an owner writes ahead of a commit is named by it, or unlinked by the owner or the next one.
    // A dying VMO frees blob by blob.
    private static bool IsExcused(Home home, LayerSummary layer, BlobId blob)
    {
        var member = home.Member!;
        if (member.IsDying && !(member.Uses(layer.Id.Number) || member.Record.Users.ContainsKey(layer.Id.Number)))
            return true;
        if (layer.Garbage.Contains(blob) || layer.Doubtful.Contains(blob))
            return true;
        if (layer != member.Top)
            return layer.WrittenAhead.Contains(blob);
        return member.IsDying || (layer.NextBlob.Nonce == blob.Nonce
            ? (blob.Nonce == home.Record.Owner.Nonce || home.Record.Formers.Contains(blob.Nonce)) && blob.Counter >= layer.NextBlob.Counter
            : blob.Nonce == home.Record.Owner.Nonce || StoredHash.After(home.Record.Formers, layer.NextBlob.Nonce).Contains(blob.Nonce));
    }

    private async Task<List<(StoredKey, Finding)>> UnnamedAsync(List<(StoredKey Key, LayerSummary Layer)> asked)
    {
        var headers = asked.Select(item => new BlobRead(item.Key.Layer, item.Key.Blob!.Value, 0, new byte[BlobLayout.HeaderBytes])).ToArray();
        var isThere = await store.ReadBlobsAsync(headers, cancellation);
        var (dumb, trailers) = (new List<StoredKey>(), new List<(StoredKey Key, BlobRead Read)>());
        for (var i = 0; i < asked.Count; i++)
        {
            var key = asked[i].Key;
            if (isThere[i] && headers[i].Destination.Span is [(byte)'V', (byte)'B', 1, > 0 and var pages, ..])
                trailers.Add((key, new(key.Layer, key.Blob!.Value, BlobLayout.OffsetOf(pages), new byte[pages * 8])));
            else
                dumb.Add(key);
        }

        var isWhole = await store.ReadBlobsAsync([.. trailers.Select(trailer => trailer.Read)], cancellation);
        dumb.AddRange(trailers.Where((_, i) => !isWhole[i]).Select(trailer => trailer.Key));
        var orphans = new List<(StoredKey, Finding)>();
        foreach (var layer in trailers.Where((_, i) => isWhole[i]).GroupBy(trailer => trailer.Key.Layer))
        {
            var named = await NamedAsync(layer.Key, [.. layer.SelectMany(trailer => BlobLayout.ReadTrailer(trailer.Read.Destination.Span).Select(Leaf.Of)).Distinct()]);
            orphans.AddRange(layer.Where(trailer => !named.Contains(trailer.Key.Blob!.Value)).Select(trailer => (trailer.Key, OrphanBlob(trailer.Key, "is named by no page"))));
        }

        // One that does not say which pages it was written for is looked for among all. One that is named is damage, which the VMO's turn tells.
        foreach (var layer in dumb.GroupBy(key => key.Layer))
        {
            var named = await NamedAsync(layer.Key);
            orphans.AddRange(layer.Where(key => !named.Contains(key.Blob!.Value)).Select(key => (key, OrphanBlob(key, "is named by no page, and is no whole blob"))));
        }

        return orphans;
    }

    private async Task<HashSet<BlobId>> NamedAsync(LayerId layer, ulong[] leaves)
    {
        var named = new HashSet<BlobId>();
        foreach (var portion in leaves.Chunk(Limits.CommitLeavesMax))
        {
            if (await store.LoadLayerAsync(layer, [.. portion.Select(FieldNames.Leaf)], cancellation) is not { } stored)
                break;
            AddNamed(stored.Fields, named);
        }

        return named;
    }

    private async Task<HashSet<BlobId>> NamedAsync(LayerId layer)
    {
        var named = new HashSet<BlobId>();
        await foreach (var fields in store.ScanLayerAsync(layer, FieldNames.LeafPrefix, cancellation))
            AddNamed(fields, named);
        return named;
    }

    private static void AddNamed(IReadOnlyList<StoreField> fields, HashSet<BlobId> named)
    {
        foreach (var field in fields)
        {
            if (LeafCodec.Decode(field.Value.Span) is not { } leaf)
                continue;
            for (var i = 0; i < Limits.LeafPages; i++)
                named.Add(leaf[i].Blob);
        }
    }

    private static Finding OrphanBlob(StoredKey key, string why) =>
        new(key.Layer.Home, "orphan-blob", $"blob {key.Layer}:{key.Blob}", $"blob {key.Blob} of layer {key.Layer} {why}");

    /// <summary>A VMO whose keys are looked at.</summary>
    private sealed class Home(FamilyMember? member, StoredHash record)
    {
        public FamilyMember? Member => member;
        public StoredHash Record => record;
        public Dictionary<uint, LayerSummary> Stack { get; } = [];

        /// <summary>Layers that were folded into others of the stack and are being removed.</summary>
        public HashSet<uint> Folded { get; } = [];

        /// <summary>The stack breaks off, so nothing can be said of what is not in it.</summary>
        public bool IsUnclear { get; set; }

        /// <summary>The layer that a clone call under way puts above the top; 0 for none.</summary>
        public uint Coming => member?.Record.Intent is { Freeze: > 0 } ? member.Top.Id.Number + 1 : 0;
    }
}
