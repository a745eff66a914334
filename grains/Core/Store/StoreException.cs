namespace VmoCluster.Core.Store;

/// <summary>The store did not answer, or refused. The status is Io, NoSpace, DataIntegrity or DataLoss; the message is fit for a caller.</summary>
public sealed class StoreException : Exception
{
    public StoreException(VmoStatus status, string message, Exception? inner = null)
        : base(message, inner) => Status = status;

    /// <summary>What the caller is told.</summary>
    public VmoStatus Status { get; }
}
