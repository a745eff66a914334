using System.Diagnostics;
using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>Several nodes as one cluster on a redis-server of their own, or on one that the test shares between clusters by prefix.</summary>
public sealed class SiloCluster : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly HttpClient Pages = new() { Timeout = TimeSpan.FromSeconds(10) };

    private readonly List<SiloProcess> _silos = [];
    private readonly bool _isRedisOurs;
    private readonly RedisServer? _redis;
    private readonly Func<int, SiloOptions> _optionsOf;

    private SiloCluster(RedisServer? redis, bool isRedisOurs, Func<int, SiloOptions> optionsOf) =>
        (_redis, _isRedisOurs, _optionsOf) = (redis, isRedisOurs, optionsOf);

    /// <summary>The one Redis it is on, where it is one.</summary>
    public RedisServer Redis => _redis ?? throw new InvalidOperationException("Each silo was told its Redis itself.");

    public IReadOnlyList<SiloProcess> Silos => _silos;

    /// <summary>All gRPC endpoints, for a client that fails over.</summary>
    public IReadOnlyList<Uri> Endpoints => [.. _silos.Select(silo => silo.Endpoint)];

    /// <summary>Starts a cluster, its silos one after the other or all at once, and waits until each silo sees all of them.</summary>
    public static async Task<SiloCluster> StartAsync(int count, SiloOptions? options = null, RedisServer? redis = null, bool areTogether = false)
    {
        var ours = redis is null;
        redis ??= await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"]);
        var each = (options ?? new()) with { Redis = redis.Configuration, RedisPassword = redis.Password };
        var cluster = new SiloCluster(redis, ours, _ => each);
        await cluster.RunAsync(count, areTogether);
        return cluster;
    }

    /// <summary>The same of silos that differ: each is told its Redis, and in a lab its participant. Where they are all on one Redis, it may be named, and stays the caller's.</summary>
    public static async Task<SiloCluster> StartEachAsync(int count, Func<int, SiloOptions> optionsOf, RedisServer? redis = null)
    {
        var cluster = new SiloCluster(redis, false, optionsOf);
        await cluster.RunAsync(count);
        return cluster;
    }

    private async Task RunAsync(int count, bool areTogether = false)
    {
        try
        {
            // One after the other, unless told: what each takes of the machine while it starts is what the others would wait for anyway.
            if (areTogether)
            {
                var starting = Enumerable.Range(0, count).Select(i => SiloProcess.StartAsync(_optionsOf(i))).ToList();
                await ((Task)Task.WhenAll(starting)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                _silos.AddRange(starting.Where(one => one.IsCompletedSuccessfully).Select(one => one.Result));
                await Task.WhenAll(starting);
            }

            while (_silos.Count < count)
            {
                await AddAsync();
            }

            await WaitForMembersAsync(count);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more.</summary>
    public async Task<SiloProcess> AddAsync()
    {
        var silo = await SiloProcess.StartAsync(_optionsOf(_silos.Count));
        _silos.Add(silo);
        return silo;
    }

    /// <summary>Waits until each silo that runs sees so many active ones. What they logged is in the failure.</summary>
    public async Task WaitForMembersAsync(int count)
    {
        var (began, wanted) = (Stopwatch.GetTimestamp(), $"Active silos: {count}.");
        foreach (var silo in _silos)
        {
            while (!silo.HasExited && !(await PageAsync(silo)).Contains(wanted, StringComparison.Ordinal))
            {
                if (Stopwatch.GetElapsedTime(began) > Patience)
                {
                    throw new TimeoutException($"{silo.Http} does not show '{wanted}' but: {await PageAsync(silo)}\n{Logs}");
                }

                await Task.Delay(50);
            }
        }
    }

    /// <summary>The silo whose session the VMO's record names as its owner's; null where it has none, or that of a silo that is gone.</summary>
    public async Task<SiloProcess?> OwnerAsync(ulong koid)
    {
        var owner = await Redis.CommandAsync("HGET", string.Create(CultureInfo.InvariantCulture, $"{_optionsOf(0).Prefix ?? "vmo:"}{{{koid}}}:v"), "owner");
        return owner.Split("\r\n") is [_, { Length: > 0 } text, ..]
            ? _silos.FirstOrDefault(silo => silo.Session == ulong.Parse(text.Split(':')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            : null;
    }

    /// <summary>
    /// Waits until all silos run and see each other, and starts those again that end by themselves meanwhile, as a supervisor would: one that stood
    /// still for long learns only later that the others have given it up.
    /// </summary>
    public async Task RestoreAsync()
    {
        var (began, wanted) = (Stopwatch.GetTimestamp(), $"Active silos: {_silos.Count}.");
        while (true)
        {
            foreach (var silo in _silos.Where(silo => silo.HasExited))
                await silo.RestartAsync();
            if ((await Task.WhenAll(_silos.Select(PageAsync))).All(page => page.Contains(wanted, StringComparison.Ordinal)))
                return;
            if (Stopwatch.GetElapsedTime(began) > Patience)
                throw new TimeoutException($"Not all silos show '{wanted}' within {Patience.TotalSeconds} s.\n{Logs}");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos)
        {
            await silo.DisposeAsync();
        }

        if (_isRedisOurs)
        {
            await _redis!.DisposeAsync();
        }
    }

    private string Logs => string.Join('\n', _silos.Select(silo => $"--- {silo.Http}, {(silo.HasExited ? $"ended with {silo.ExitCode}" : "running")}\n{silo.Log}"));

    private static async Task<string> PageAsync(SiloProcess silo)
    {
        try
        {
            return await Pages.GetStringAsync(silo.Http);
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            return failure.Message;
        }
    }
}
