namespace VmoCluster.Client;

/// <summary>How a large transfer is cut: calls of 1 MiB, each in pieces of one message.</summary>
internal static class Pieces
{
    public static int Count(int length) => (length + Limits.MessageBytesMax - 1) / Limits.MessageBytesMax;

    public static Memory<byte> Of(Memory<byte> whole, int piece)
    {
        var start = piece * Limits.MessageBytesMax;
        return whole.Slice(start, Math.Min(Limits.MessageBytesMax, whole.Length - start));
    }

    public static ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> whole, int piece)
    {
        var start = piece * Limits.MessageBytesMax;
        return whole.Slice(start, Math.Min(Limits.MessageBytesMax, whole.Length - start));
    }

    /// <summary>
    /// Waits for all, so that nobody touches the caller's memory afterwards; when one fails, the others are told to stop and the first
    /// failure by number is thrown.
    /// </summary>
    public static async Task<ulong[]> AllAsync(Task<ulong>[] pieces, CancellationTokenSource siblings)
    {
        foreach (var piece in pieces)
            _ = piece.ContinueWith(
                static (_, state) => ((CancellationTokenSource)state!).Cancel(),
                siblings,
                CancellationToken.None,
                TaskContinuationOptions.NotOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        try
        {
            return await Task.WhenAll(pieces).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Of several failures the real one is told, not the cancellations that it caused.
            foreach (var piece in pieces)
            {
                if (piece.Exception is { InnerException: { } first })
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
            }

            throw;
        }
    }

    /// <summary>
    /// Runs a transfer as calls of 1 MiB, started in order, a bounded number in flight. After a failure no further call starts, those in
    /// flight end first, and the failure nearest to the start is thrown. Returns when all have ended.
    /// </summary>
    public static async Task PipelineAsync(
        int length, int inFlight, Func<int, int, CancellationToken, Task> call, CancellationToken cancellation)
    {
        var running = new Queue<Task>(inFlight);
        Exception? failure = null;
        for (var start = 0; start < length && failure is null; start += Limits.CallBytesMax)
        {
            if (running.Count == inFlight)
                failure = await EndOfAsync(running.Dequeue()).ConfigureAwait(false);
            if (failure is null)
                running.Enqueue(call(start, Math.Min(Limits.CallBytesMax, length - start), cancellation));
        }

        while (running.TryDequeue(out var task))
            failure = await EndOfAsync(task).ConfigureAwait(false) is { } later ? failure ?? later : failure;
        if (failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    private static async Task<Exception?> EndOfAsync(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
            return null;
        }
        catch (Exception failure)
        {
            // Kept, and thrown by the pipeline when everything in flight has ended.
            return failure;
        }
    }
}
