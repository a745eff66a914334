using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>Sends one commit: its blobs and its script down one connection, and makes an outcome of what comes back.</summary>
internal sealed class CommitSender(StoreConnection commits, StoreWatch watch, StoreKeys keys)
{
    /// <summary>Breaks when a commit is not one: a bug of the caller's.</summary>
    public static void Require(StoreCommit commit)
    {
        if (commit.Target == CommitTarget.Layer || commit.Blobs.Count > 0)
            StoredFields.RequireHome(commit.Vmo, commit.Layer);
        if (commit.Fields.Count == 0 || 2 * commit.Fields.Count > StoredFields.ScriptValuesMax || commit.Blobs.Count > StoredFields.ScriptValuesMax)
            throw new ArgumentException($"A commit sets 1 to {StoredFields.ScriptValuesMax / 2} fields and {StoredFields.ScriptValuesMax} blobs; this one {commit.Fields.Count} and {commit.Blobs.Count}.", nameof(commit));
    }

    /// <summary>Never throws for the store's state.</summary>
    public async Task<(CommitOutcome Outcome, Exception? Error)> SendAsync(StoreCommit commit, StoreScript script)
    {
        // Nothing is awaited between the first SET and the script: that they go down one connection in this order is what makes the
        // EXISTS in the script mean something cheap. If a SET fails, the script sees that the blob is missing.
        var sets = new Task[commit.Blobs.Count];
        var sent = 0;
        var bytes = 0L;
        CommitOutcome outcome;
        Exception? error = null;
        try
        {
            foreach (var blob in commit.Blobs)
            {
                var value = BlobBytes.Join(blob.Bytes);
                bytes += value.Length();
                sets[sent++] = commits.Database.StringSetAsync(keys.Blob(commit.Layer, blob.Id), value, flags: CommandFlags.DemandMaster);
            }

            var replicas = commit.IsStructure ? watch.ReplicasOfStructure : watch.ReplicasOfChange;
            var code = (int)await commits.EvaluateAsync(script, KeysOf(commit), ValuesOf(commit), replicas);
            outcome = code switch
            {
                1 => CommitOutcome.Applied,
                -1 => CommitOutcome.Fenced,
                -2 => CommitOutcome.Stale,
                -3 => CommitOutcome.BlobMissing,
                _ => throw new InvalidOperationException($"The commit script answered {code}."),
            };
        }
        catch (Exception failure) when (StoreFaults.IsStoreTrouble(failure))
        {
            (outcome, error) = (StoreFaults.Outcome(failure), failure);
        }

        var unset = await FirstFailureAsync(sets.AsMemory(0, sent));
        if (outcome == CommitOutcome.BlobMissing && unset is not null && StoreFaults.Outcome(unset) is CommitOutcome.Full or CommitOutcome.Refused)
            (outcome, error) = (StoreFaults.Outcome(unset!), unset);
        if (outcome == CommitOutcome.Applied)
            PageStoreTelemetry.AddWritten(bytes);
        else if (outcome is CommitOutcome.Fenced or CommitOutcome.Stale && sent > 0)
            Unlink(commit);
        return (outcome, error);
    }

    // Refused, for somebody else has the VMO: whoever took it over has freed what was sent until then, and knows nothing of these. Blobs of a
    // commit are sent once, under names of this owner alone, so nothing names them, now or later. A crash right here leaves them to a scrub.
    private void Unlink(StoreCommit commit) =>
        commits.Database.KeyDelete([.. commit.Blobs.Select(blob => keys.Blob(commit.Layer, blob.Id))], CommandFlags.DemandMaster | CommandFlags.FireAndForget);

    private static async Task<Exception?> FirstFailureAsync(ReadOnlyMemory<Task> sets)
    {
        Exception? first = null;
        for (var i = 0; i < sets.Length; i++)
        {
            var set = sets.Span[i];
            await set.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            first ??= set.Exception?.InnerException;
        }

        return first;
    }

    private RedisKey[] KeysOf(StoreCommit commit)
    {
        var names = new RedisKey[2 + commit.Blobs.Count];
        names[0] = keys.Record(commit.Vmo);
        names[1] = keys.Target(commit.Vmo, commit.Target, commit.Layer);
        for (var i = 0; i < commit.Blobs.Count; i++)
            names[2 + i] = keys.Blob(commit.Layer, commit.Blobs[i].Id);
        return names;
    }

    private static RedisValue[] ValuesOf(StoreCommit commit)
    {
        var values = new List<RedisValue>(6 + (2 * commit.Fields.Count)) { commit.Owner.ToString(), commit.IsNew ? RedisValue.EmptyString : commit.Seq, "seq", commit.Seq + 1 };
        if (commit.IsNew)
            values.AddRange(["layout", StoreIdentity.LayoutNow]);
        StoredFields.Add(values, commit.Fields);
        return [.. values];
    }
}
