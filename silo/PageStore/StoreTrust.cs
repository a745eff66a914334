using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Whose certificate a Redis over TLS may show: one for the name that was asked for, issued by an authority of the operator's file if there
/// is one, and then by no other; by one of the machine's otherwise. Each new connection is judged, also long after the opening.
/// </summary>
internal sealed class StoreTrust : IDisposable
{
    private const string ServerPurpose = "1.3.6.1.5.5.7.3.1";

    private readonly X509Certificate2Collection _authorities;
    private readonly string? _file;

    private StoreTrust(X509Certificate2Collection authorities, string? file) => (_authorities, _file) = (authorities, file);

    /// <summary>Whether the connections are to be over TLS.</summary>
    public bool IsAsked { get; private set; }

    /// <summary>Why the last certificate was refused, as the rest of a sentence that begins with it; null if none was.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Reads the file, if there is one. Throws <see cref="StoreException"/> when it has no certificate in it.</summary>
    public static StoreTrust Load(string? file)
    {
        var authorities = new X509Certificate2Collection();
        if (file is null)
            return new(authorities, null);
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new StoreException(VmoStatus.Io, $"The CA file {file} cannot be read: it must hold PEM certificates.", error);
        }

        return authorities.Count > 0 ? new(authorities, file) : throw new StoreException(VmoStatus.Io, $"The CA file {file} holds no PEM certificate.");
    }

    /// <summary>Judges the certificates of these connections from now on.</summary>
    public void Guard(ConfigurationOptions redis)
    {
        IsAsked = redis.Ssl;
        redis.CertificateValidation += IsTrusted;
    }

    public void Dispose()
    {
        foreach (var authority in _authorities)
            authority.Dispose();
    }

    private bool IsTrusted(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        Refusal = WhyNot(certificate, chain, errors);
        return Refusal is null;
    }

    private string? WhyNot(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 shown)
            return "is not there";
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            return "is for another host: name it as the certificate does, or say sslHost=NAME in the configuration";
        if (_file is null)
        {
            return errors == SslPolicyErrors.None
                ? null
                : $"was issued by {shown.Issuer}, whom this machine does not trust ({StatusOf(chain)}): give the file of that authority's certificate (--redis-ca)";
        }

        using var ours = new X509Chain();
        ours.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        ours.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        ours.ChainPolicy.ApplicationPolicy.Add(new(ServerPurpose));
        // An authority of one's own rarely says where its revocations are; asking somebody would make each reconnection depend on him.
        ours.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        ours.ChainPolicy.DisableCertificateDownloads = true;
        foreach (var between in chain?.ChainElements.Select(element => element.Certificate) ?? [])
            ours.ChainPolicy.ExtraStore.Add(between);
        return ours.Build(shown)
            ? null
            : $"was issued by {shown.Issuer}, and that is not by an authority of {_file} ({StatusOf(ours)})";
    }

    private static string StatusOf(X509Chain? chain) => string.Join(", ", (chain?.ChainStatus ?? []).Select(status => status.Status).Distinct());
}
