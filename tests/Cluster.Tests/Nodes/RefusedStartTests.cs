using System.Net;
using System.Net.Sockets;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

[Collection(NodeCollection.Name)]
public sealed class RefusedStartTests
{
    private const int UsageError = 64;
    private const int StartupError = 1;

    [Fact]
    public async Task Unknown_options_variables_and_bad_values_are_usage_errors_told_all_at_once() => await RefusedAsync(
        new()
        {
            Arguments = ["--dta", "--silo-port", "70000"],
            Environment = new Dictionary<string, string> { ["Vmo__Prefx"] = "x:" },
        },
        UsageError,
        "did you mean --data?",
        "--silo-port: must be a port",
        "did you mean Vmo__Prefix?");

    [Fact]
    public async Task Beyond_loopback_it_does_not_listen_without_authentication() =>
        await RefusedAsync(new() { Arguments = ["--listen", "0.0.0.0:0"] }, UsageError, "loopback only", "--allow-unauthenticated");

    [Theory]
    [InlineData("--listen")]
    [InlineData("--http")]
    [InlineData("--nbd")]
    [InlineData("--silo-port")]
    [InlineData("--gateway-port")]
    public async Task A_taken_port_is_refused_by_its_name(string option)
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var port = ((IPEndPoint)holder.LocalEndpoint).Port;
        var value = option.EndsWith("port", StringComparison.Ordinal) ? $"{port}" : $"127.0.0.1:{port}";
        await RefusedAsync(new() { Arguments = [option, value] }, StartupError, $"{option} 127.0.0.1:{port}: port {port} is taken");
    }

    [Fact]
    public async Task A_folder_in_use_or_not_ours_is_refused_and_left_alone()
    {
        await using var silo = await SiloProcess.StartAsync();
        await RefusedAsync(new() { Data = silo.Data }, StartupError, $"is in use by process {silo.ProcessId}");
        Assert.Equal(200, (await Nodes.GetAsync(silo, "/health/ready")).Code);

        var strange = Directory.CreateTempSubdirectory("vmo-strange-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(strange, "store"));
            await File.WriteAllTextAsync(Path.Combine(strange, "store", "diary.txt"), "mine");
            await RefusedAsync(new() { Data = strange }, StartupError, "is not a VMO Cluster's");
            Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(strange, "store", "diary.txt")));
            Assert.False(File.Exists(Path.Combine(strange, "operator")));
        }
        finally
        {
            Directory.Delete(strange, recursive: true);
        }
    }

    [Fact]
    public async Task A_Redis_that_cannot_be_used_is_refused_with_what_to_do()
    {
        using var nobody = new TcpListener(IPAddress.Loopback, 0);
        nobody.Start();
        var port = ((IPEndPoint)nobody.LocalEndpoint).Port;
        nobody.Stop();
        await RefusedAsync(new() { Redis = $"127.0.0.1:{port}" }, StartupError, $"{port}");

        await using var locked = await RedisServer.StartAsync(password: "geheim");
        await RefusedAsync(new() { Redis = locked.Configuration }, StartupError, "password");
        var wrong = await RefusedAsync(new() { Redis = locked.Configuration, RedisPassword = "falsch" }, StartupError, "password");
        Assert.DoesNotContain("falsch", wrong, StringComparison.Ordinal);

        await using var replica = await RedisServer.StartAsync([$"replicaof 127.0.0.1 {locked.Port}"], password: "geheim");
        await RefusedAsync(new() { Redis = replica.Configuration, RedisPassword = "geheim" }, StartupError, "replica");
    }

    [Fact]
    public async Task A_silo_of_other_limits_or_another_store_than_its_cluster_is_refused()
    {
        await using var redis = await RedisServer.StartAsync();
        string store;
        await using (var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration }))
        {
            store = (await redis.CommandAsync("HGET", "vmo:store", "id")).Split("\r\n")[1];
            await RefusedAsync(new() { Redis = redis.Configuration, Arguments = ["--durability", "replicas:1"] }, StartupError, "replicas");
            await RefusedAsync(
                new() { Redis = redis.Configuration, Arguments = ["--store-id", "0123456789abcdef0123456789abcdef"] }, StartupError, $"this store's id is {store}");
            // Two clusters on one store would take each other's VMOs with each call.
            await RefusedAsync(new() { Redis = redis.Configuration, Arguments = ["--cluster-id", "vmo-mistyped"] }, StartupError, $"are the cluster vmo-{store[..12]}, this one asks for vmo-mistyped");
            // Whoever waits for fewer replicas than the others would acknowledge what they would not.
            await redis.CommandAsync("HSET", "vmo:store", "durability", "replicas:1");
            await RefusedAsync(new() { Redis = redis.Configuration, Arguments = ["--durability", "primary"] }, StartupError, "durability", "replicas:1");
            await redis.CommandAsync("HSET", "vmo:store", "durability", "primary");
            await redis.CommandAsync("HSET", "vmo:store", "limits", "page=8192");
            await RefusedAsync(new() { Redis = redis.Configuration }, StartupError, "other limits", "page=8192");
            Assert.Equal(200, (await Nodes.GetAsync(silo, "/health/ready")).Code);
        }

        // With none running the name may be another; and a store that does not say is whoever's comes first.
        await redis.CommandAsync("HSET", "vmo:store", "limits", Limits.Fingerprint);
        await redis.CommandAsync("HDEL", "vmo:store", "cluster");
        await using var renamed = await SiloProcess.StartAsync(new() { Redis = redis.Configuration, Arguments = ["--cluster-id", "vmo-renamed"] });
        await RefusedAsync(new() { Redis = redis.Configuration }, StartupError, "are the cluster vmo-renamed");
    }

    [Fact]
    public async Task Help_and_version_need_no_node()
    {
        var help = await SiloProcess.RefuseAsync(new() { Arguments = ["--help"] });
        Assert.Equal(0, help.ExitCode);
        Assert.Contains("--redis CONFIG", help.Output, StringComparison.Ordinal);
        var version = await SiloProcess.RefuseAsync(new() { Arguments = ["--version"] });
        Assert.Equal(0, version.ExitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+", version.Output);
    }

    private static async Task<string> RefusedAsync(SiloOptions options, int exitCode, params string[] words)
    {
        var refusal = await SiloProcess.RefuseAsync(options);
        Assert.True(refusal.ExitCode == exitCode, $"exit {refusal.ExitCode} instead of {exitCode}:\n{refusal.Output}");
        foreach (var word in words)
        {
            Assert.Contains(word, refusal.Output, StringComparison.Ordinal);
        }

        // A sentence for its user, not a trace for us, and no ready line.
        Assert.DoesNotContain("   at ", refusal.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ready ", refusal.Output, StringComparison.Ordinal);
        Assert.Contains("vmo node: ", refusal.Output, StringComparison.Ordinal);
        return refusal.Output;
    }
}
