using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace VmoCluster.NbdDoor;

/// <summary>
/// The certificate that NBD shows, from two PEM files. They are looked at with each handshake and read anew when they have changed; a new one that cannot
/// be read, or is not valid at present, is told and the former goes on.
/// </summary>
public sealed class NbdCertificate
{
    private readonly string _certificateFile;
    private readonly string _keyFile;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private SslStreamCertificateContext _current;

    // Why the last reading gave nothing.
    private string _why = "";
    private (string Certificate, string Key) _readAs;
    private (string Certificate, string Key) _toldOf;
    private SslStreamCertificateContext? _toldExpired;

    /// <summary>Reads it for the first time. Throws <see cref="NbdSetupException"/> when there is none that is valid now.</summary>
    /// <param name="certificateFile">The certificate, and its chain behind it.</param>
    /// <param name="keyFile">Its key.</param>
    /// <param name="log">Told of each certificate that was read anew, and of each that was not taken.</param>
    /// <param name="time">The clock that it must be valid by.</param>
    public NbdCertificate(string certificateFile, string keyFile, Action<string> log, TimeProvider? time = null)
    {
        (_certificateFile, _keyFile, _log, _time, _readAs) = (certificateFile, keyFile, log, time ?? TimeProvider.System, Written(certificateFile, keyFile));
        _current = Read() ?? throw new NbdSetupException($"certificate {certificateFile}, key {keyFile}: {_why}");
    }

    /// <summary>The newest that was good when it was read, with those that lead to its root.</summary>
    public SslStreamCertificateContext Current()
    {
        lock (_lock)
        {
            if (Written(_certificateFile, _keyFile) is var written && written != _readAs)
            {
                if (Read() is { } next)
                {
                    (_current, _readAs) = (next, written);
                    _log($"a new certificate is shown, valid until {next.TargetCertificate.NotAfter.ToUniversalTime():u}");
                }
                else if (written != _toldOf)
                {
                    // Looked at again with each handshake: it may be one that is valid a moment later, or a file that could not be read just now.
                    _toldOf = written;
                    _log($"the certificate stays the one it was: {_why}");
                }
            }

            var until = _current.TargetCertificate.NotAfter.ToUniversalTime();
            if (_time.GetUtcNow() > until && _toldExpired != _current)
            {
                _toldExpired = _current;
                _log($"the certificate has expired on {until:u}, and clients refuse it: put a new one into {_certificateFile}");
            }

            return _current;
        }
    }

    // What the files hold, wherever links lead: a Secret's files in Kubernetes are links that never change, and times may be the same.
    private static (string Certificate, string Key) Written(string certificate, string key) => (HashOf(certificate), HashOf(key));

    private static string HashOf(string file)
    {
        try
        {
            return Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Not there at present: it is read when it is again.
            return "";
        }
    }

    private SslStreamCertificateContext? Read()
    {
        try
        {
            // By way of PKCS#12: a key that exists in memory only is not found by SslStream everywhere.
            using var read = X509Certificate2.CreateFromPemFile(_certificateFile, _keyFile);
            var now = _time.GetUtcNow();
            if (now < read.NotBefore || now > read.NotAfter)
            {
                _why = $"the certificate is valid from {read.NotBefore.ToUniversalTime():u} to {read.NotAfter.ToUniversalTime():u}, not now";
                return null;
            }

            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(_certificateFile);
            return SslStreamCertificateContext.Create(X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), null), chain, offline: true);
        }
        // ArgumentException: the key is another certificate's, as between the writing of the one file and of the other.
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            _why = $"the files cannot be read as a PEM certificate and its key: {failure.Message}";
            return null;
        }
    }
}
