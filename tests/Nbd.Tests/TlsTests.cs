using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>NBD under TLS, as libnbd (GnuTLS) speaks it: required where there is a certificate, renewed without a restart.</summary>
public sealed partial class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-tls-").FullName;

    private string CertificateFile => Path.Combine(_folder, "server.pem");

    private string KeyFile => Path.Combine(_folder, "server.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task With_a_certificate_nothing_is_said_without_TLS_and_a_renewed_one_is_shown_to_the_next_who_comes()
    {
        var (first, second) = (Issue("first"), Issue("second"));
        Use("first");
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", "127.0.0.1:0", "--nbd-certificate", CertificateFile, "--nbd-key", KeyFile] });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var vmo = await client.CreateAsync(1 << 20);
        var port = Port().Match(silo.ReadyLine).Groups[1].Value;
        string Secret(string authority) => $"nbds://localhost:{port}/{vmo.Handle.Reveal()}?tls-certificates={authority}";

        Assert.Contains("with TLS", await Peer.RunAsync("nbdinfo", [Secret(first)]), StringComparison.Ordinal);
        Assert.Contains("TLS", await Peer.RunAsync("nbdinfo", [$"nbd://localhost:{port}/{vmo.Handle.Reveal()}"], code: 1), StringComparison.Ordinal);
        await Peer.RunAsync("nbdinfo", [Secret(second)], code: 1);
        var (there, back) = (Path.Combine(_folder, "there"), Path.Combine(_folder, "back"));
        await File.WriteAllBytesAsync(there, RandomNumberGenerator.GetBytes(1 << 20));
        await Peer.RunAsync("nbdcopy", [there, Secret(first)]);
        await Peer.RunAsync("nbdcopy", [Secret(first), back]);
        Assert.Equal(await File.ReadAllBytesAsync(there), await File.ReadAllBytesAsync(back));

        Use("second");
        await Peer.RunAsync("nbdinfo", [Secret(second)]);
        await Peer.RunAsync("nbdinfo", [Secret(first)], code: 1);
        await File.WriteAllTextAsync(CertificateFile, "no certificate");
        await Peer.RunAsync("nbdinfo", [Secret(second)]);
        Assert.Contains("the certificate stays the one it was", silo.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_is_not_there_or_not_valid_any_more_refuses_the_start()
    {
        Issue("old", until: DateTimeOffset.UtcNow.AddDays(-1));
        Use("old");
        Assert.Contains("the certificate is valid from", await RefusedAsync(CertificateFile), StringComparison.Ordinal);
        Assert.Contains("cannot be read as a PEM certificate", await RefusedAsync(Path.Combine(_folder, "nowhere.pem")), StringComparison.Ordinal);
    }

    private async Task<string> RefusedAsync(string certificate)
    {
        var refusal = await SiloProcess.RefuseAsync(new() { Arguments = ["--nbd", "127.0.0.1:0", "--nbd-certificate", certificate, "--nbd-key", KeyFile] });
        Assert.Equal(1, refusal.ExitCode);
        return refusal.Output;
    }

    private void Use(string name)
    {
        File.Copy(Path.Combine(_folder, name, "server.pem"), CertificateFile, overwrite: true);
        File.Copy(Path.Combine(_folder, name, "server.key"), KeyFile, overwrite: true);
    }

    // An authority and what it issued to localhost; the authority's folder, as libnbd wants it.
    private string Issue(string name, DateTimeOffset? until = null)
    {
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-10), until ?? DateTimeOffset.UtcNow.AddDays(10));
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest($"CN={name}", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var root = authority.CreateSelfSigned(from, to);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(root, from, to, RandomNumberGenerator.GetBytes(8));
        var folder = Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "ca-cert.pem"), root.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "server.pem"), issued.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "server.key"), key.ExportPkcs8PrivateKeyPem());
        return folder;
    }

    [GeneratedRegex(@"nbd=127\.0\.0\.1:(\d+)")]
    private static partial Regex Port();
}
