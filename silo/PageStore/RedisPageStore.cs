using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Records, layers and blobs in Redis, as grains/DESIGN.md lays them out. Writes go down the commit connection in the order of their
/// calls, reads down their own; both ask primaries only.
/// </summary>
internal sealed class RedisPageStore(StoreConnections connections, LateWrites late, StoreWatch watch, StoreKeys keys, StoreScripts scripts, StoreGuard guard, TimeProvider time)
    : IPageStore
{
    private const int UnlinkBatch = 512;
    private const int ScanBatch = 512;
    private const int ScanKeysBatch = 1000;

    private readonly StoreConnection _commits = connections.Commits;
    private readonly IDatabase _reads = connections.Reads.Database;
    private readonly CommitSender _sender = new(connections.Commits, watch, keys);
    private readonly BlobReader _blobs = new(connections.Reads.Database, keys);

    /// <inheritdoc/>
    public async ValueTask<Koid> AllocateKoidsAsync(int count, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var last = await RunAsync(
            "allocate",
            1,
            () => _commits.EvaluateAsync(scripts.Allocate, guard.Keys(keys.Koids), [count, guard.Argument], watch.ReplicasOfStructure),
            cancellation);
        return new((ulong)((long)last - count + 1));
    }

    /// <inheritdoc/>
    public async ValueTask<Koid> BindRequestAsync(RequestId request, Koid proposed, CancellationToken cancellation)
    {
        var key = keys.Request(request);
        var bound = await RunAsync(
            "bind",
            1,
            () => _commits.EvaluateAsync(
                scripts.Bind, guard.Keys(key), [proposed.Value, Limits.RequestKeepMs, guard.Argument], watch.ReplicasOfStructure),
            cancellation);
        return new((ulong)bound);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(
        Koid vmo, Owner owner, LayerId layer, IReadOnlyList<StoreField> layerFields, IReadOnlyList<StoreField> recordFields, bool isPromised,
        CancellationToken cancellation)
    {
        StoredFields.RequireHome(vmo, layer);
        if (watch.IsNearlyFull && !isPromised)
            throw new StoreException(VmoStatus.NoSpace, "The store is full.");
        var values = new List<RedisValue>((2 * (layerFields.Count + recordFields.Count)) + 14) { 2 * (layerFields.Count + 2), 2 * (recordFields.Count + 3) };
        values.AddRange(["seq", 1, "layout", StoreIdentity.LayoutNow]);
        StoredFields.Add(values, layerFields);
        values.AddRange(["owner", owner.ToString(), "seq", 1, "layout", StoreIdentity.LayoutNow]);
        StoredFields.Add(values, recordFields);
        values.Add(guard.Argument);
        var created = await EvaluateAsync(
            "create", isPromised ? scripts.CreatePromised : scripts.Create, guard.Keys(keys.Record(vmo), keys.Tombstone(vmo), keys.Layer(layer)), [.. values], watch.ReplicasOfStructure, cancellation);
        return (int)created == 1;
    }

    /// <inheritdoc/>
    public async ValueTask<RecordLoad> LoadRecordAsync(Koid vmo, CancellationToken cancellation)
    {
        // In this order on one connection: a record that is gone when it is asked for has its tombstone by then.
        var (record, tombstone, store) = await RunAsync(
            "load-record",
            3,
            async () =>
            {
                var asked = _reads.HashGetAllAsync(keys.Record(vmo), CommandFlags.DemandMaster);
                var askedNext = _reads.HashGetAllAsync(keys.Tombstone(vmo), CommandFlags.DemandMaster);
                var askedLast = guard.AskAsync();
                await Task.WhenAll(asked, askedNext, askedLast);
                return (await asked, await askedNext, await askedLast);
            },
            cancellation);
        if (record.Length > 0)
            return new(Existence.Exists, StoredFields.ToHash(record, vmo.ToString()));
        guard.Require(store);
        return tombstone.Length > 0
            ? new(Existence.Tombstone, new(default, 0, [.. tombstone.Where(entry => entry.Name != "layout").Select(entry => new StoreField(entry.Name, entry.Value))]))
            : new(Existence.Nothing, null);
    }

    /// <inheritdoc/>
    public async ValueTask<StoredHash?> LoadLayerAsync(LayerId layer, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation)
    {
        var asked = new RedisValue[names.Count + 2];
        (asked[0], asked[1]) = ("seq", "layout");
        for (var i = 0; i < names.Count; i++)
            asked[i + 2] = names[i];
        var found = await RunAsync(
            "load-layer", asked.Length, () => _reads.HashGetAsync(keys.Layer(layer), asked, CommandFlags.DemandMaster), cancellation);
        if (found[0].IsNull)
        {
            guard.Require(await RunAsync("load-layer", 1, guard.AskAsync, cancellation));
            return null;
        }

        StoredFields.RequireLayout(found[1], layer.ToString());
        var fields = new List<StoreField>(names.Count);
        for (var i = 0; i < names.Count; i++)
        {
            if (!found[i + 2].IsNull)
                fields.Add(new(names[i], found[i + 2]));
        }

        return new(default, (ulong)found[0], fields);
    }

    /// <inheritdoc/>
    public async ValueTask<long> CountFieldsAsync(LayerId layer, CancellationToken cancellation) =>
        await RunAsync("count", 1, () => _reads.HashLengthAsync(keys.Layer(layer), CommandFlags.DemandMaster), cancellation);

    /// <inheritdoc/>
    public async IAsyncEnumerable<IReadOnlyList<StoreField>> ScanLayerAsync(
        LayerId layer, ReadOnlyMemory<byte> prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var found = _reads.HashScanAsync(keys.Layer(layer), StoredFields.GlobOf(prefix.Span), ScanBatch, flags: CommandFlags.DemandMaster);
        await foreach (var portion in PortionsAsync(found, entry => new StoreField(entry.Name, entry.Value), "scan-layer", cancellation))
            yield return [.. portion.Where(field => !StoredFields.IsOurs(field.Name.Span))];
    }

    /// <inheritdoc/>
    public async ValueTask<TakeOver> TakeOverAsync(Koid vmo, Owner expected, Owner next, uint leftBy, CancellationToken cancellation)
    {
        var answer = (RedisResult[])(await EvaluateAsync(
            "take-over", scripts.TakeOver, [keys.Record(vmo)], [expected.ToString(), next.ToString(), FormersField.Of(leftBy)], watch.ReplicasOfStructure, cancellation))!;
        var found = (string)answer[1]!;
        return new((int)answer[0] == 1, found.Length == 0 ? default : Owner.Parse(found));
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(Koid vmo, Owner owner, uint leftBy, CancellationToken cancellation) =>
        await EvaluateAsync(
            "release", scripts.Release, [keys.Record(vmo)], [owner.ToString(), owner.Released(leftBy).ToString(), leftBy == 0], watch.ReplicasOfStructure, cancellation);

    /// <inheritdoc/>
    public async ValueTask<CommitOutcome> CommitAsync(StoreCommit commit)
    {
        CommitSender.Require(commit);
        if (await watch.RefusalAsync() is not null)
            return CommitOutcome.Refused;
        var isFreeing = commit.IsRelease;
        if (watch.IsNearlyFull && !isFreeing)
            return CommitOutcome.Full;
        var operation = PageStoreTelemetry.Begin("commit", commit.Blobs.Count + 1, time);
        var (outcome, error) = await _sender.SendAsync(commit, isFreeing ? scripts.CommitWhenFull : scripts.Commit);
        operation.End(error is null ? null : StoreFaults.Kind(error));
        return outcome;
    }

    /// <inheritdoc/>
    public async ValueTask<Settlement> SettleAsync(Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seq)
    {
        if (target == CommitTarget.Layer)
            StoredFields.RequireHome(vmo, layer);
        if (await watch.RefusalAsync() is not null)
            return new(CommitOutcome.Refused);
        var operation = PageStoreTelemetry.Begin("settle", 1, time);
        try
        {
            var record = keys.Record(vmo);
            var line = await late.EndFormerAsync(record);
            var answer = (long)await _commits.EvaluateAsync(scripts.Settle, [record, keys.Target(vmo, target, layer)], [owner.ToString(), seq], watch.ReplicasOfStructure);
            // Lost meanwhile, the connection may be one of which blobs are still to come.
            if (await late.LineAsync(record) != line)
            {
                operation.End("connection_lost");
                return new(CommitOutcome.Unknown);
            }

            operation.End();
            return answer switch
            {
                -1 => new(CommitOutcome.Fenced),
                -2 => new(CommitOutcome.Stale),
                -4 => new(CommitOutcome.Refused),
                _ => Settlement.Of((ulong)answer, seq),
            };
        }
        catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
        {
            operation.End(StoreFaults.Kind(error));
            var outcome = StoreFaults.Outcome(error);
            return new(outcome == CommitOutcome.Full ? CommitOutcome.Refused : outcome);
        }
    }

    /// <inheritdoc/>
    public async ValueTask FinishWritesAsync(Koid vmo, CancellationToken cancellation)
    {
        var record = keys.Record(vmo);
        // Lost meanwhile, the connection may be one of which blobs are still to come.
        if (!await RunAsync("finish-writes", 1, async () => await late.EndFormerAsync(record) is var line && await late.LineAsync(record) == line, cancellation))
            throw new StoreException(VmoStatus.Io, "The connection to the store was lost while it was made sure that nothing sent by the ones before arrives any more.");
    }

    /// <inheritdoc/>
    public async ValueTask<bool[]> ReadBlobsAsync(IReadOnlyList<BlobRead> reads, CancellationToken cancellation)
    {
        if (reads.Count == 0)
            return [];
        var found = await RunAsync("read", reads.Count, () => _blobs.ReadAsync(reads), cancellation);
        if (found.Contains(false))
            guard.Require(await RunAsync("read", 1, guard.AskAsync, cancellation));
        return found;
    }

    /// <inheritdoc/>
    public async ValueTask<long> UnlinkBlobsAsync(StoreFence fence, LayerId layer, IReadOnlyList<BlobId> blobs, bool areFormersDone, CancellationToken cancellation)
    {
        StoredFields.RequireHome(fence.Vmo, layer);
        var (unlinked, left) = (0L, blobs.Count(blob => !blob.IsZero));
        foreach (var batch in blobs.Where(blob => !blob.IsZero).Chunk(UnlinkBatch))
        {
            left -= batch.Length;
            RedisKey[] names = [keys.Record(fence.Vmo), keys.Layer(fence.Top), .. batch.Select(blob => keys.Blob(layer, blob))];
            var count = (long)await EvaluateAsync(
                "unlink", scripts.Unlink, names, [fence.Owner.ToString(), fence.RecordSeq, fence.TopSeq, areFormersDone && left == 0], replicas: 0, cancellation);
            if (count < 0)
                throw new StoreException(VmoStatus.Io, $"The store does not have what this owner of VMO {fence.Vmo} has seen of it; nothing is unlinked.");
            unlinked += count;
        }

        return unlinked;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> RemoveFieldsAsync(
        Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seqLeast, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation)
    {
        if (target == CommitTarget.Layer)
            StoredFields.RequireHome(vmo, layer);
        foreach (var batch in names.Chunk(StoredFields.ScriptValuesMax / 2))
        {
            foreach (var name in batch)
                StoredFields.RequireNotOurs(name.Span);
            RedisValue[] values = [owner.ToString(), seqLeast, .. batch.Select(name => (RedisValue)name)];
            var removed = await EvaluateAsync(
                "remove", scripts.Remove, [keys.Record(vmo), keys.Target(vmo, target, layer)], values, watch.ReplicasOfChange, cancellation);
            if ((int)removed == 0)
                return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DropLayerAsync(Koid vmo, Owner owner, LayerId layer, LayerId holder, StoreField field, CancellationToken cancellation)
    {
        StoredFields.RequireHome(vmo, layer);
        StoredFields.RequireHome(vmo, holder);
        StoredFields.RequireNotOurs(field.Name.Span);
        var dropped = await EvaluateAsync(
            "drop-layer", scripts.DropLayer, [keys.Record(vmo), keys.Layer(layer), keys.Layer(holder)], [owner.ToString(), field.Name, field.Value],
            watch.ReplicasOfStructure, cancellation);
        return (int)dropped == 1;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> EraseAsync(
        Koid vmo, Owner owner, IReadOnlyList<LayerId> layers, IReadOnlyList<StoreField> tombstone, CancellationToken cancellation)
    {
        foreach (var layer in layers)
            StoredFields.RequireHome(vmo, layer);
        // A tombstone of nothing would be no hash at all: its layout makes it one.
        var values = new List<RedisValue> { owner.ToString(), Limits.TombstoneKeepMs, "layout", StoreIdentity.LayoutNow };
        StoredFields.Add(values, tombstone);
        var erased = await EvaluateAsync(
            "erase",
            scripts.Erase,
            [keys.Record(vmo), keys.Tombstone(vmo), .. layers.Select(layer => keys.Layer(layer))],
            [.. values],
            watch.ReplicasOfStructure,
            cancellation);
        return (int)erased == 1;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<IReadOnlyList<Koid>> ScanVmosAsync(Koid after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        // Koids are given out one after another, so asking for each is cheaper than walking all keys, most of which are blobs.
        var last = await RunAsync("scan-vmos", 1, async () => (ulong)await _reads.StringGetAsync(keys.Koids, CommandFlags.DemandMaster), cancellation);
        for (var next = after.Value + 1; next <= last; next += ScanBatch)
        {
            var asked = new Koid[(int)Math.Min(ScanBatch, last - next + 1)];
            for (var i = 0; i < asked.Length; i++)
                asked[i] = new(next + (ulong)i);
            var found = await RunAsync(
                "scan-vmos", asked.Length, () => Task.WhenAll(asked.Select(koid => _reads.KeyExistsAsync(keys.Record(koid), CommandFlags.DemandMaster))), cancellation);
            Koid[] portion = [.. asked.Where((_, i) => found[i])];
            if (portion.Length > 0)
                yield return portion;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<KeyPortion> ListKeysAsync(KeyPlace place, CancellationToken cancellation)
    {
        // In an order that stays: a place is a node's number and a cursor there.
        var nodes = connections.Reads.Primaries.OrderBy(server => server.EndPoint.ToString(), StringComparer.Ordinal).ToArray();
        if (place.Node >= nodes.Length)
            return new([], null);
        var answer = (RedisResult[])(await RunAsync(
            "list-keys", 1, () => nodes[place.Node].ExecuteAsync("SCAN", place.Cursor.ToString(CultureInfo.InvariantCulture), "MATCH", keys.Contents, "COUNT", ScanKeysBatch), cancellation))!;
        var cursor = ulong.Parse((string)answer[0]!, NumberStyles.None, CultureInfo.InvariantCulture);
        var found = new List<StoredKey>();
        foreach (var name in (string[])answer[1]!)
        {
            if (keys.Parse(name) is { } key)
                found.Add(key);
        }

        KeyPlace? next = cursor != 0 ? place with { Cursor = cursor } : place.Node + 1 < nodes.Length ? new(place.Node + 1, 0) : null;
        return new(found, next);
    }

    private async Task<RedisResult> EvaluateAsync(
        string operation, StoreScript script, RedisKey[] names, RedisValue[] values, int replicas, CancellationToken cancellation) =>
        await RunAsync(operation, 1, () => _commits.EvaluateAsync(script, names, values, replicas), cancellation);

    private async Task<T> RunAsync<T>(string operation, int batch, Func<Task<T>> work, CancellationToken cancellation)
    {
        await watch.RequireOursAsync();
        return await StoreCall.RunAsync(operation, batch, work, time, cancellation);
    }

    private async IAsyncEnumerable<IReadOnlyList<TItem>> PortionsAsync<TSource, TItem>(
        IAsyncEnumerable<TSource> source, Func<TSource, TItem> convert, string operation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var items = source.GetAsyncEnumerator(cancellation);
        var isMore = true;
        while (isMore)
        {
            var portion = new List<TItem>(ScanBatch);
            isMore = await RunAsync(
                operation,
                1,
                async () =>
                {
                    while (portion.Count < ScanBatch)
                    {
                        if (!await items.MoveNextAsync())
                            return false;
                        portion.Add(convert(items.Current));
                    }

                    return true;
                },
                CancellationToken.None);
            if (portion.Count > 0)
                yield return portion;
            cancellation.ThrowIfCancellationRequested();
        }
    }
}
