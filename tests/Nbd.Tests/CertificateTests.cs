using Microsoft.Extensions.Time.Testing;
using VmoCluster.NbdDoor;

namespace VmoCluster.Nbd.Tests;

/// <summary>Which certificate is shown while files and the time change under it.</summary>
public sealed class CertificateTests : IDisposable
{
    private static readonly DateTimeOffset Noon = DateTimeOffset.UtcNow;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-certificate-").FullName;
    private readonly FakeTimeProvider _time = new(Noon);
    private readonly List<string> _log = [];

    private string CertificateFile => Path.Combine(_folder, "server.pem");

    private string KeyFile => Path.Combine(_folder, "server.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void One_that_expires_while_it_is_shown_is_told_once()
    {
        Use(Issue("short", until: Noon.AddHours(1)));
        var certificate = new NbdCertificate(CertificateFile, KeyFile, _log.Add, _time);
        var shown = certificate.Current();
        Assert.Empty(_log);
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Same(shown, certificate.Current());
        Assert.Same(shown, certificate.Current());
        Assert.Contains("has expired", Assert.Single(_log), StringComparison.Ordinal);
        Use(Issue("next"));
        Assert.NotSame(shown, certificate.Current());
        Assert.Contains("a new certificate is shown", _log[1], StringComparison.Ordinal);
        certificate.Current();
        Assert.Equal(2, _log.Count);
    }

    [Fact]
    public void One_that_is_not_valid_yet_is_shown_when_it_is()
    {
        Use(Issue("first"));
        var certificate = new NbdCertificate(CertificateFile, KeyFile, _log.Add, _time);
        var first = certificate.Current();
        Use(Issue("early", from: Noon.AddHours(1)));
        Assert.Same(first, certificate.Current());
        Assert.Same(first, certificate.Current());
        Assert.Contains("stays the one it was: the certificate is valid from", Assert.Single(_log), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromHours(2));
        Assert.NotSame(first, certificate.Current());
        Assert.Equal(2, _log.Count);
    }

    // Two files are not written at once.
    [Fact]
    public void One_whose_key_is_the_last_ones_still_is_shown_when_the_key_has_come()
    {
        Use(Issue("first"));
        var certificate = new NbdCertificate(CertificateFile, KeyFile, _log.Add, _time);
        var first = certificate.Current();
        var second = Issue("second");
        File.Copy(Path.Combine(second, "server.pem"), CertificateFile, overwrite: true);
        Assert.Same(first, certificate.Current());
        File.Copy(Path.Combine(second, "server.key"), KeyFile, overwrite: true);
        var next = certificate.Current();
        Assert.NotSame(first, next);
        Assert.True(next.TargetCertificate.HasPrivateKey);
    }

    private string Issue(string name, DateTimeOffset? from = null, DateTimeOffset? until = null) => TestAuthority.Issue(_folder, name, from, until);

    private void Use(string folder)
    {
        File.Copy(Path.Combine(folder, "server.pem"), CertificateFile, overwrite: true);
        File.Copy(Path.Combine(folder, "server.key"), KeyFile, overwrite: true);
    }
}
