namespace VmoCluster.PageStore;

/// <summary>One call of the store that throws: measured, cancellable, its errors made ours.</summary>
internal static class StoreCall
{
    // Where nobody is connected Redis' client says so at once, and who is told may ask again in the same breath.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Runs it. A cancellation ends the waiting, not the command: what was sent may still take effect. Trouble is never told at once.
    /// </summary>
    public static async Task<T> RunAsync<T>(string operation, int batch, Func<Task<T>> work, TimeProvider time, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var measured = PageStoreTelemetry.Begin(operation, batch, time);
        try
        {
            var result = await work().WaitAsync(cancellation);
            measured.End();
            return result;
        }
        catch (Exception error)
        {
            measured.End(StoreFaults.Kind(error));
            if (!StoreFaults.IsStoreTrouble(error))
                throw;
            await Task.Delay(Rest, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw StoreFaults.ToStoreException(error, operation);
        }
    }
}
