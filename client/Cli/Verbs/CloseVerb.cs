using VmoCluster.Cli.Output;

namespace VmoCluster.Cli.Verbs;

/// <summary>close H...</summary>
internal sealed class CloseVerb : Verb
{
    public CloseVerb()
        : base("close", VerbGroup.Handles, "end handles; with its last one a VMO is gone")
    {
        Form = "[H...]";
        Details = "All are tried, whatever becomes of the others; the exit code tells that one was refused, 11 if it was unknown.";
        Examples = ["vmo close $H", "vmo close - < handles.txt"];
        TakeWords();
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var texts = await run.Handles.ManyAsync(run.Words(this), cancellation);
        // What is no handle cannot be asked for, and must not keep the others from being closed.
        var handles = new List<VmoHandle>();
        foreach (var text in texts)
        {
            if (VmoHandle.TryParse(text, out var handle))
                handles.Add(handle);
        }

        var outcomes = new List<Outcome>();
        if (handles.Count > 0)
        {
            var client = await run.ClientAsync(cancellation);
            foreach (var some in handles.Chunk(Limits.CloseManyMax))
                outcomes.AddRange((await client.CloseManyAsync(some, cancellation)).Outcomes);
        }

        var closed = (ulong)outcomes.Count(o => o.IsOk);
        if (closed < (ulong)texts.Count)
            throw new PartlyDoneException("closed", closed, Refusal(texts.Count, texts.Count - handles.Count, outcomes));
        run.Answer(json => json.WriteNumber("closed", closed), "");
        return ExitCodes.Ok;
    }

    // Of several refusals the first that says more than "unknown".
    private static VmoException Refusal(int all, int malformed, List<Outcome> outcomes)
    {
        var refused = outcomes.Where(o => !o.IsOk).ToList();
        var first = refused.OrderBy(o => o.Status == VmoStatus.BadHandle).FirstOrDefault();
        var reason = refused.Count > 0 ? first.ToException() : new VmoException(VmoStatus.BadHandle, "");
        var what = string.Join(
            "; ",
            new[] { malformed > 0 ? $"{malformed} of them no handle's text" : "", reason.Message }.Where(part => part.Length > 0));
        return new(reason.Status, $"{malformed + refused.Count} of {all} handles could not be closed: {what}", reason.RetryAfter);
    }
}
