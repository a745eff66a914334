using System.Diagnostics;
using VmoCluster.Client;

namespace VmoCluster.Chaos.Overload;

/// <summary>Calls as the product's client makes them: concurrent ones are joined, refused ones tried again until the deadline.</summary>
internal sealed class ProductCalls : ICalls
{
    private static readonly byte[] Page = Noise(Limits.PageBytes);

    private readonly VmoClient[] _clients;
    private readonly Vmo[] _vmos;

    /// <summary>One client for each silo that it prefers, as if there were so many processes.</summary>
    public ProductCalls(IReadOnlyList<Uri> endpoints, IReadOnlyList<VmoHandle> handles, TimeSpan deadline)
    {
        _clients = [.. endpoints.Select((_, i) => VmoClient.Connect(new() { Endpoints = [.. endpoints.Skip(i), .. endpoints.Take(i)], Deadline = deadline, ConnectionsPerEndpoint = 4 }))];
        _vmos = [.. handles.Select((handle, i) => _clients[i % _clients.Length].Open(handle))];
    }

    public int AtOnce => 1;

    /// <summary>Bytes that are no zeros: those would not be stored.</summary>
    public static byte[] Noise(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    public async Task<int> CallAsync(int vmo, int page, bool isWrite, Tally tally)
    {
        var began = Stopwatch.GetTimestamp();
        var offset = (ulong)page * Limits.PageBytes;
        Task ended = isWrite ? _vmos[vmo].WriteAsync(offset, Page) : _vmos[vmo].ReadAsync(offset, new byte[Limits.PageBytes]);

        // Not thrown: most of them are refused, and an exception costs more than a call.
        await ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (ended.IsCompletedSuccessfully)
        {
            tally.Add(began, Ending.Ok, AtOnce);
            return 0;
        }

        var refused = ended.Exception?.InnerException as VmoException;
        var hint = (int)(refused?.RetryAfter?.TotalMilliseconds ?? 0);
        var ending = refused?.Status switch { VmoStatus.ShouldWait => Ending.Refused, VmoStatus.TimedOut => Ending.TimedOut, _ => Ending.Failed };
        tally.Add(began, ending, AtOnce, hint, ending == Ending.Failed ? $"{refused?.Status}: {refused?.Message}" : null);
        return hint;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
            await client.DisposeAsync();
    }
}
