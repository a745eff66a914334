using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace VmoCluster.Nbd.Tests;

/// <summary>Certificates for tests of TLS.</summary>
internal static class TestAuthority
{
    /// <summary>Makes an authority and what it issues to localhost; the authority's folder, as libnbd wants it.</summary>
    public static string Issue(string parent, string name, DateTimeOffset? from = null, DateTimeOffset? until = null, bool hasBetween = false)
    {
        var (first, last) = (from ?? DateTimeOffset.UtcNow.AddDays(-10), until ?? DateTimeOffset.UtcNow.AddDays(10));
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest($"CN={name}", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var root = authority.CreateSelfSigned(first, last);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        // One in between is not known to clients: the server has to show it.
        using var betweenKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var between = new CertificateRequest($"CN=between {name}", betweenKey, HashAlgorithmName.SHA256);
        between.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var issuer = hasBetween ? between.Create(root, first, last, RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(betweenKey) : null;
        using var issued = request.Create(issuer ?? root, first, last, RandomNumberGenerator.GetBytes(8));
        var folder = Directory.CreateDirectory(Path.Combine(parent, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "ca-cert.pem"), root.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "server.pem"), issued.ExportCertificatePem() + "\n" + issuer?.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "server.key"), key.ExportPkcs8PrivateKeyPem());
        return folder;
    }
}
