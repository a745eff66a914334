using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.Core.Store;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>Each thing that can be wrong with a Redis has a message of its own that says what to do, without secrets.</summary>
public sealed class OpeningTests
{
    [Fact]
    public async Task An_unreachable_Redis_is_told()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();

        await RefusedAsync(new() { Configuration = $"127.0.0.1:{port}" }, "cannot be reached");
    }

    [Theory]
    [InlineData("")]
    [InlineData("127.0.0.1:1,sll=true,password=verysecret")]
    public async Task A_configuration_that_makes_no_sense_is_told(string configuration)
    {
        var error = await RefusedAsync(new() { Configuration = configuration }, "configuration");

        Assert.DoesNotContain("verysecret", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a{b}:")]
    [InlineData("*")]
    public async Task A_prefix_that_would_break_keys_is_told(string prefix) =>
        await RefusedAsync(new() { Configuration = "127.0.0.1:1", KeyPrefix = prefix }, "prefix");

    [Fact]
    public async Task Passwords_are_asked_for_refused_and_taken_from_a_file()
    {
        await using var server = await RedisServer.StartAsync(password: "open-sesame");
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "open-sesame\n");

        await RefusedAsync(new() { Configuration = server.Configuration }, "password");
        var error = await RefusedAsync(new() { Configuration = server.Configuration, Password = "open-barley" }, "password");
        Assert.DoesNotContain("open-barley", error.ToString(), StringComparison.Ordinal);
        await RefusedAsync(new() { Configuration = server.Configuration, PasswordFile = file + ".none" }, "password file");
        await using (await StoreBackend.OpenAsync(new() { Configuration = server.Configuration, Password = "open-sesame" }))
        await using (await StoreBackend.OpenAsync(new() { Configuration = server.Configuration, PasswordFile = file }))
            File.Delete(file);
    }

    [Fact]
    public async Task A_read_only_replica_is_refused()
    {
        await using var primary = await RedisServer.StartAsync();
        await using var replica = await RedisServer.StartAsync([$"replicaof 127.0.0.1 {primary.Port}"]);

        await RefusedAsync(new() { Configuration = replica.Configuration }, "read-only replica");
    }

    [Fact]
    public async Task A_Redis_that_throws_keys_away_is_refused()
    {
        await using var server = await RedisServer.StartAsync(["maxmemory 50mb", "maxmemory-policy allkeys-lru"]);

        await RefusedAsync(new() { Configuration = server.Configuration }, "allkeys-lru");
        await server.CommandAsync("CONFIG", "SET", "maxmemory", "0");
        await using var store = await StoreBackend.OpenAsync(new() { Configuration = server.Configuration });
    }

    [Fact]
    public async Task A_store_of_another_kind_is_refused_and_left_alone()
    {
        await using var server = await RedisServer.StartAsync();
        var options = new RedisStoreOptions { Configuration = server.Configuration };
        await using (await StoreBackend.OpenAsync(options))
            await server.CommandAsync("HSET", "vmo:store", "layout", "2");
        await RefusedAsync(options, "layout 2");
        await server.CommandAsync("HSET", "vmo:store", "layout", "1", "limits", "page=8192");
        await RefusedAsync(options, "page=8192");
        await server.CommandAsync("HSET", "vmo:store", "limits", Limits.Fingerprint, "durability", "replicas:2");
        await RefusedAsync(options, "replicas:2");
        await server.CommandAsync("HDEL", "vmo:store", "id");
        await RefusedAsync(options, "another prefix");
        await server.CommandAsync("SET", "vmo:store", "something");
        await RefusedAsync(options, "another prefix");

        Assert.Equal("$9\r\nsomething\r\n", await server.CommandAsync("GET", "vmo:store"));
    }

    [Fact]
    public async Task Replicas_are_counted_before_they_are_promised()
    {
        await using var server = await RedisServer.StartAsync();

        await RefusedAsync(new() { Configuration = server.Configuration, Durability = Durability.Replicas(1) }, "replicas:1");
    }

    [Fact]
    public async Task The_embedded_store_promises_no_replicas()
    {
        var folder = Directory.CreateTempSubdirectory("vmo-store-").FullName;
        await using (var store = EmbeddedStore.Start(new() { Folder = folder }, NullLoggerFactory.Instance))
            await RefusedAsync(new() { Configuration = store.Configuration, Durability = Durability.Replicas(1) }, "WAIT");
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("primary", 0)]
    [InlineData("replicas:2", 2)]
    public void A_durability_reads_what_it_writes(string text, int replicas)
    {
        Assert.True(Durability.TryParse(text, out var durability));
        Assert.Equal(replicas, durability.ReplicaCount);
        Assert.Equal(text, durability.ToString());
    }

    [Theory]
    [InlineData("replicas:0")]
    [InlineData("replicas:6")]
    [InlineData("replicas:")]
    [InlineData("both")]
    [InlineData(null)]
    public void A_durability_that_is_none_is_told(string? text) => Assert.False(Durability.TryParse(text, out _));

    private static async Task<StoreException> RefusedAsync(RedisStoreOptions options, string says)
    {
        var error = await Assert.ThrowsAsync<StoreException>(() => StoreBackend.OpenAsync(options));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        return error;
    }
}
