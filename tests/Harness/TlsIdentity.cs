using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace VmoCluster.Harness;

/// <summary>An authority of this test's own and a server's certificate from it, as files that go with the test.</summary>
public sealed class TlsIdentity : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-tls-").FullName;

    /// <param name="authority">The authority's name.</param>
    /// <param name="host">The address the server's certificate is for.</param>
    public TlsIdentity(string authority, IPAddress? host = null)
    {
        var (from, until) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest($"CN={authority}", authorityKey, HashAlgorithmName.SHA256);
        asked.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        asked.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        using var root = asked.CreateSelfSigned(from, until);

        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=redis of a test", serverKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(host ?? IPAddress.Loopback);
        server.CertificateExtensions.Add(names.Build());
        server.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1")], false));
        using var issued = server.Create(root, from, until, RandomNumberGenerator.GetBytes(8));

        File.WriteAllText(CaFile, root.ExportCertificatePem());
        File.WriteAllText(PathOf("server.crt"), issued.ExportCertificatePem());
        File.WriteAllText(PathOf("server.key"), serverKey.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>The authority's certificate.</summary>
    public string CaFile => PathOf("ca.crt");

    /// <summary>redis.conf lines for a port over TLS that asks its clients for no certificate.</summary>
    public IEnumerable<string> RedisOptions(int port) =>
    [
        string.Create(CultureInfo.InvariantCulture, $"tls-port {port}"), $"tls-cert-file {PathOf("server.crt")}", $"tls-key-file {PathOf("server.key")}",
        $"tls-ca-cert-file {CaFile}", "tls-auth-clients no",
    ];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string PathOf(string file) => Path.Combine(_folder, file);
}
