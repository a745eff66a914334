using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>Silos on a Redis over TLS: with a password, a prefix, and a certificate of the operator's own authority.</summary>
[Collection(NodeCollection.Name)]
public sealed class RedisTlsTests
{
    private const string Password = "geheim";
    private const int UsageError = 64;
    private const int StartupError = 1;

    [Fact]
    public async Task A_silo_keeps_pages_and_membership_in_a_Redis_over_TLS_and_is_there_again_after_a_kill()
    {
        using var tls = new TlsIdentity("the operator's authority");
        await using var redis = await RedisServer.StartAsync(password: Password, tls: tls);
        await using var silo = await SiloProcess.StartAsync(Options(redis, tls.CaFile));
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = await client.CreateAsync(1 << 20);
        await vmo.WriteAsync(5000, "sealed"u8.ToArray());
        await silo.KillAsync();
        await silo.RestartAsync();
        var found = new byte[6];
        await vmo.ReadAsync(5000, found);
        Assert.Equal("sealed"u8.ToArray(), found);

        var clients = (await redis.CommandAsync("CLIENT", "LIST")).Split('\n').Where(line => line.Contains("name=vmo-", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(clients);
        Assert.All(clients, line => Assert.Contains($"laddr=127.0.0.1:{redis.TlsPort} ", line, StringComparison.Ordinal));
        Assert.All(await redis.KeysAsync(), key => Assert.StartsWith("tls:", key, StringComparison.Ordinal));
        Assert.DoesNotContain(Password, silo.Log, StringComparison.Ordinal);
        await vmo.CloseAsync();
        Assert.Equal(0, await silo.StopAsync());
    }

    [Fact]
    public async Task A_silo_refuses_another_authority_s_certificate_and_a_port_of_the_other_kind()
    {
        using var tls = new TlsIdentity("the operator's authority");
        using var others = new TlsIdentity("somebody else's authority");
        await using var redis = await RedisServer.StartAsync(password: Password, tls: tls);
        await RefusedAsync(Options(redis, others.CaFile), StartupError, $"--redis 127.0.0.1:{redis.TlsPort}: ", "certificate was issued by CN=the operator's authority", others.CaFile);
        await RefusedAsync(Options(redis, null), StartupError, "this machine does not trust", "--redis-ca");
        await RefusedAsync(Options(redis, null) with { Redis = $"127.0.0.1:{redis.TlsPort}" }, StartupError, "cannot be reached", "ssl=true");
        await RefusedAsync(Options(redis, tls.CaFile) with { Redis = $"{redis.Configuration},ssl=true" }, StartupError, "cannot be reached", "TLS");
        await RefusedAsync(Options(redis, tls.CaFile) with { Redis = redis.Configuration }, UsageError, "--redis-ca", "ssl=true");
        Assert.Empty(await redis.KeysAsync());
    }

    private static SiloOptions Options(RedisServer redis, string? ca) => new()
    {
        Redis = redis.TlsConfiguration,
        RedisPassword = redis.Password,
        Prefix = "tls:",
        Arguments = ca is null ? [] : ["--redis-ca", ca],
    };

    private static async Task RefusedAsync(SiloOptions options, int exitCode, params string[] words)
    {
        var refusal = await SiloProcess.RefuseAsync(options);
        Assert.True(refusal.ExitCode == exitCode, $"exit {refusal.ExitCode} instead of {exitCode}:\n{refusal.Output}");
        Assert.All(words, word => Assert.Contains(word, refusal.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", refusal.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, refusal.Output, StringComparison.Ordinal);
    }
}
