using VmoCluster.Client;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>A bit of everything, from many callers at once, until it is stopped: so that every metric has a reason to move.</summary>
internal sealed class Load : IAsyncDisposable
{
    private const int Vmos = 8;
    private const int CallersPerVmo = 3;
    private const ulong VmoBytes = 4 << 20;

    private readonly List<VmoClient> _clients;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _callers = [];
    private long _answered;

    private Load(List<VmoClient> clients) => _clients = clients;

    /// <summary>Calls that were answered so far, refusals included.</summary>
    public long Answered => Interlocked.Read(ref _answered);

    /// <summary>Starts it against doors; each VMO's callers come through all of them.</summary>
    public static async Task<Load> StartAsync(IReadOnlyList<Uri> endpoints)
    {
        // Each client prefers another door.
        var clients = endpoints.Select((_, i) => VmoClient.Connect(new() { Endpoints = [.. endpoints.Skip(i), .. endpoints.Take(i)] })).ToList();
        var load = new Load(clients);
        for (var v = 0; v < Vmos; v++)
        {
            var vmo = await clients[0].CreateAsync(VmoBytes, new() { Name = $"load-{v}" });
            for (var c = 0; c < CallersPerVmo; c++)
            {
                var (mine, random) = (clients[(v + c) % clients.Count].Open(vmo.Handle), new Random((v * CallersPerVmo) + c));
                load._callers.Add(Task.Run(() => load.CallAsync(random, (turn, offset, bytes) => load.OnceAsync(mine, turn, offset, bytes))));
            }

            // What is changed is looked at through a clone, too.
            var (clone, other) = (await vmo.CloneAsync(VmoKind.Live), new Random(v));
            load._callers.Add(Task.Run(() => load.CallAsync(other, (_, offset, bytes) => clone.ReadAsync(offset, bytes, load._stop.Token))));
        }

        return load;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_callers);
        foreach (var client in _clients)
            await client.DisposeAsync();
        _stop.Dispose();
    }

    private async Task CallAsync(Random random, Func<int, ulong, byte[], Task> once)
    {
        var bytes = new byte[16 * 4096];
        for (var turn = 0; !_stop.IsCancellationRequested; turn++)
        {
            try
            {
                random.NextBytes(bytes);
                var offset = (ulong)random.Next((int)VmoBytes - bytes.Length) & ~4095UL;
                await once(turn, offset, bytes);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (VmoException e) when (e.Status is VmoStatus.OutOfRange or VmoStatus.Io or VmoStatus.ShouldWait or VmoStatus.TimedOut)
            {
                // Out of range is asked for; the others are a silo that was just killed.
            }

            Interlocked.Increment(ref _answered);
        }
    }

    private Task OnceAsync(Vmo vmo, int turn, ulong offset, byte[] bytes) => (turn % 16) switch
    {
        0 => vmo.ZeroAsync(new(offset, 8 * 4096), _stop.Token),
        1 => vmo.DecommitAsync(new(offset, 4 * 4096), _stop.Token),
        2 => vmo.ReadAsync(VmoBytes, bytes, _stop.Token),
        3 => DuplicateAndCloseAsync(vmo),
        4 => vmo.SetNameAsync($"turn {turn}", _stop.Token),
        5 or 6 or 7 or 8 or 9 => vmo.WriteAsync(offset, bytes, _stop.Token),
        _ => vmo.ReadAsync(offset, bytes, _stop.Token),
    };

    private async Task DuplicateAndCloseAsync(Vmo vmo) =>
        await (await vmo.DuplicateAsync(VmoRights.Read, cancellation: _stop.Token)).CloseAsync(_stop.Token);
}
