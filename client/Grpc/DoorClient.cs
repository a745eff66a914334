using VmoCluster.Client;

namespace VmoCluster.GrpcDoor;

/// <summary>
/// A client over the silo's own transport, for what the door does in several calls: bulk streams, sessions, closing many. It splits and
/// retries as every client does. The transport stays the silo's.
/// </summary>
internal sealed class DoorClient(ITransport transport) : IAsyncDisposable
{
    private readonly VmoClient _client = new(transport, new() { JoinCalls = false }, ownsTransport: false);

    public Vmo Open(VmoHandle handle, Caller caller) => _client.Open(handle, caller);

    public Task<WaitManyResult> WaitManyAsync(IReadOnlyList<WaitItem> items, TimeSpan timeout, Caller caller, CancellationToken cancellation) =>
        _client.WaitManyForAsync(items, timeout, caller, cancellation);

    public ValueTask DisposeAsync() => _client.DisposeAsync();
}
