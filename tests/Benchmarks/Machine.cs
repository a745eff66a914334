using System.Globalization;
using StackExchange.Redis;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.OrleansClient;

namespace VmoCluster.Benchmarks;

/// <summary>A Redis, a silo on it, and what can be read of their processes.</summary>
internal sealed class Machine : IAsyncDisposable
{
    private Machine(RedisServer redis, SiloProcess silo, ConnectionMultiplexer raw) => (Redis, Silo, Raw) = (redis, silo, raw);

    public RedisServer Redis { get; }
    public SiloProcess Silo { get; }

    /// <summary>A connection of this process to the same Redis, for the raw limits.</summary>
    public ConnectionMultiplexer Raw { get; }

    public static async Task<Machine> StartAsync(string[] redisOptions, params string[] siloArguments)
    {
        var redis = await RedisServer.StartAsync(redisOptions);
        var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration, HasGateway = true, Arguments = siloArguments });
        var raw = await ConnectionMultiplexer.ConnectAsync(redis.Configuration + ",syncTimeout=30000,asyncTimeout=30000,allowAdmin=true");
        return new(redis, silo, raw);
    }

    public Task<VmoClient> OverOrleansAsync(bool joined) =>
        OrleansVmoClient.ConnectAsync(new() { Redis = Redis.Configuration }, new() { JoinCalls = joined, Deadline = TimeSpan.FromSeconds(60) });

    public VmoClient OverGrpc(bool joined) => VmoClient.Connect(new() { Endpoints = [Silo.Endpoint], JoinCalls = joined, Deadline = TimeSpan.FromSeconds(60) });

    /// <summary>Bytes Redis holds.</summary>
    public async Task<long> RedisBytesAsync(string field = "used_memory")
    {
        var memory = await Redis.CommandAsync("INFO", "memory");
        var line = memory.Split('\n').First(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return long.Parse(line.AsSpan(field.Length + 1).Trim(), CultureInfo.InvariantCulture);
    }

    /// <summary>CPU seconds a process has used.</summary>
    public static double CpuSeconds(int process)
    {
        var fields = File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0;
    }

    /// <summary>CPU seconds of this process's children that have ended.</summary>
    public static double EndedChildrenCpuSeconds()
    {
        var fields = File.ReadAllText("/proc/self/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (long.Parse(fields[13], CultureInfo.InvariantCulture) + long.Parse(fields[14], CultureInfo.InvariantCulture)) / 100.0;
    }

    /// <summary>Bytes of a process in memory.</summary>
    public static long ResidentBytes(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    public async ValueTask DisposeAsync()
    {
        await Raw.DisposeAsync();
        await Silo.DisposeAsync();
        await Redis.DisposeAsync();
    }
}
