using System.Net;
using System.Text;
using VmoCluster.Core.Store;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>A Redis over TLS with a certificate of the operator's own authority, a password and a key prefix.</summary>
public sealed class TlsTests
{
    private const string Password = "open-sesame";

    [Fact]
    public async Task Over_TLS_with_its_authority_and_password_the_store_keeps_pages()
    {
        using var tls = new TlsIdentity("the operator's authority");
        await using var server = await RedisServer.StartAsync(password: Password, tls: tls);
        var options = new RedisStoreOptions { Configuration = server.TlsConfiguration, Password = Password, CaFile = tls.CaFile, KeyPrefix = "tls:" };
        var (owner, blob) = (new Owner(1, 1, 1), new BlobId(1, 1));
        var bytes = Encoding.UTF8.GetBytes("sealed");
        LayerId layer;
        await using (var store = await StoreBackend.OpenAsync(options))
        {
            var vmo = await store.Pages.AllocateKoidsAsync(1, CancellationToken.None);
            layer = new(vmo, 1);
            Assert.True(await store.Pages.CreateAsync(vmo, owner, layer, [], [], isPromised: false, CancellationToken.None));
            var commit = new StoreCommit
            {
                Vmo = vmo, Owner = owner, Target = CommitTarget.Layer, Layer = layer, Seq = 1, Fields = [new("size"u8.ToArray(), "4096"u8.ToArray())], Blobs = [new(blob, [bytes])],
            };
            Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(commit));
        }

        await using (var again = await StoreBackend.OpenAsync(options))
        {
            var found = new byte[bytes.Length];
            Assert.True(Assert.Single(await again.Pages.ReadBlobsAsync([new(layer, blob, 0, found)], CancellationToken.None)));
            Assert.Equal(bytes, found);
            // All of it went over TLS, and all of it stands under the prefix.
            var clients = (await server.CommandAsync("CLIENT", "LIST")).Split('\n').Where(line => line.Contains("name=vmo-", StringComparison.Ordinal)).ToList();
            Assert.NotEmpty(clients);
            Assert.All(clients, line => Assert.Contains($"laddr=127.0.0.1:{server.TlsPort} ", line, StringComparison.Ordinal));
            var keys = await server.KeysAsync();
            Assert.NotEmpty(keys);
            Assert.All(keys, key => Assert.StartsWith("tls:", key, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Certificates_that_are_not_trusted_are_refused_with_why()
    {
        using var tls = new TlsIdentity("the operator's authority");
        using var others = new TlsIdentity("somebody else's authority");
        using var elsewhere = new TlsIdentity("the operator's authority", IPAddress.Parse("192.0.2.7"));
        await using var server = await RedisServer.StartAsync(password: Password, tls: tls);
        await using var misnamed = await RedisServer.StartAsync(password: Password, tls: elsewhere);
        var right = new RedisStoreOptions { Configuration = server.TlsConfiguration, Password = Password };

        await RefusedAsync(With(right, others.CaFile), "certificate was issued by CN=the operator's authority", $"not by an authority of {others.CaFile}");
        await RefusedAsync(With(right, null), "certificate was issued by CN=the operator's authority", "this machine does not trust", "--redis-ca");
        await RefusedAsync(new() { Configuration = misnamed.TlsConfiguration, Password = Password, CaFile = elsewhere.CaFile }, "certificate is for another host", "sslHost=NAME");
        // The password is asked for only behind the certificate.
        await RefusedAsync(new() { Configuration = server.TlsConfiguration, Password = "open-barley", CaFile = tls.CaFile }, "password");
        Assert.Empty(await server.KeysAsync());
    }

    [Fact]
    public async Task Plain_and_TLS_do_not_meet()
    {
        using var tls = new TlsIdentity("the operator's authority");
        await using var server = await RedisServer.StartAsync(password: Password, tls: tls);

        await RefusedAsync(new() { Configuration = $"127.0.0.1:{server.TlsPort}", Password = Password }, "cannot be reached", "ssl=true");
        await RefusedAsync(new() { Configuration = $"{server.Configuration},ssl=true", Password = Password, CaFile = tls.CaFile }, "cannot be reached", "TLS");
    }

    [Fact]
    public async Task A_CA_file_that_is_none_or_is_not_asked_for_is_told()
    {
        using var tls = new TlsIdentity("the operator's authority");
        var empty = Path.GetTempFileName();

        await RefusedAsync(new() { Configuration = "127.0.0.1:1,ssl=true", CaFile = empty }, $"{empty} holds no PEM certificate");
        await File.WriteAllTextAsync(empty, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        await RefusedAsync(new() { Configuration = "127.0.0.1:1,ssl=true", CaFile = empty }, $"{empty} cannot be read");
        File.Delete(empty);
        await RefusedAsync(new() { Configuration = "127.0.0.1:1,ssl=true", CaFile = empty }, $"{empty} cannot be read");
        await RefusedAsync(new() { Configuration = "127.0.0.1:1", CaFile = tls.CaFile }, "ssl=true");
    }

    private static RedisStoreOptions With(RedisStoreOptions options, string? ca) =>
        new() { Configuration = options.Configuration, Password = options.Password, CaFile = ca };

    private static async Task RefusedAsync(RedisStoreOptions options, params string[] says)
    {
        var error = await Assert.ThrowsAsync<StoreException>(() => StoreBackend.OpenAsync(options));
        Assert.All(says, one => Assert.Contains(one, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("open-", error.ToString(), StringComparison.Ordinal);
    }
}
