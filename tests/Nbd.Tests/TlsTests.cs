using System.Security.Cryptography;
using System.Text.RegularExpressions;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

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
        var (first, second) = (TestAuthority.Issue(_folder, "first"), TestAuthority.Issue(_folder, "second"));
        Use("first");
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", "127.0.0.1:0", "--nbd-certificate", CertificateFile, "--nbd-key", KeyFile] });
        var disk = await DiskAsync(silo);
        string Secret(string authority) => $"nbds://{disk}?tls-certificates={authority}";

        Assert.Contains("with TLS", await Peer.RunAsync("nbdinfo", [Secret(first)]), StringComparison.Ordinal);
        Assert.Contains("TLS", await Peer.RunAsync("nbdinfo", [$"nbd://{disk}"], code: 1), StringComparison.Ordinal);
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
        TestAuthority.Issue(_folder, "old", until: DateTimeOffset.UtcNow.AddDays(-1));
        Use("old");
        Assert.Contains("the certificate is valid from", await RefusedAsync(CertificateFile), StringComparison.Ordinal);
        Assert.Contains("cannot be read as a PEM certificate", await RefusedAsync(Path.Combine(_folder, "nowhere.pem")), StringComparison.Ordinal);
    }

    // As a Secret's files lie in a pod: links, through the link of a folder that is another at each renewal. And the issuer is not the root.
    [Fact]
    public async Task A_certificate_behind_links_is_renewed_and_those_that_lead_to_its_root_are_shown_with_it()
    {
        var (first, second) = (TestAuthority.Issue(_folder, "first", hasBetween: true), TestAuthority.Issue(_folder, "second", hasBetween: true));
        var data = Path.Combine(_folder, "..data");
        Directory.CreateSymbolicLink(data, first);
        File.CreateSymbolicLink(CertificateFile, Path.Combine(data, "server.pem"));
        File.CreateSymbolicLink(KeyFile, Path.Combine(data, "server.key"));
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", "127.0.0.1:0", "--nbd-certificate", CertificateFile, "--nbd-key", KeyFile] });
        var disk = await DiskAsync(silo);
        string Secret(string authority) => $"nbds://{disk}?tls-certificates={authority}";

        Assert.Contains("with TLS", await Peer.RunAsync("nbdinfo", [Secret(first)]), StringComparison.Ordinal);
        var next = data + "-next";
        Directory.CreateSymbolicLink(next, second);
        await Peer.RunAsync("mv", ["-T", next, data]);
        await Peer.RunAsync("nbdinfo", [Secret(second)]);
        await Peer.RunAsync("nbdinfo", [Secret(first)], code: 1);
        // Gone for a while: the last one goes on.
        Directory.Delete(data);
        await Peer.RunAsync("nbdinfo", [Secret(second)]);
    }

    // Whoever sits in between could send options of his own and have them taken for what comes under TLS.
    [Fact]
    public async Task Without_TLS_nothing_but_STARTTLS_is_answered_and_what_is_sent_behind_it_ends_the_connection()
    {
        TestAuthority.Issue(_folder, "first");
        Use("first");
        var path = Path.Combine(_folder, "nbd");
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", $"unix:{path}", "--nbd-certificate", CertificateFile, "--nbd-key", KeyFile] });
        using var client = new RawClient(path);
        await client.GreetAsync();
        foreach (var option in new[] { NbdOption.List, NbdOption.StructuredReply, NbdOption.Go, NbdOption.Info })
            Assert.Equal(NbdOptionReply.TlsRequired, Assert.Single(await client.AskAsync(option)).Kind);
        await client.SendAsync([.. RawClient.Option(NbdOption.StartTls), .. RawClient.Option(NbdOption.List)]);
        Assert.True(await client.IsEndedAsync());
    }

    [Fact]
    public async Task Under_TLS_what_was_said_before_it_is_forgotten_and_it_is_agreed_on_once()
    {
        var authority = TestAuthority.Issue(_folder, "first");
        Use("first");
        var path = Path.Combine(_folder, "nbd");
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", $"unix:{path}", "--nbd-certificate", CertificateFile, "--nbd-key", KeyFile] });
        using var client = new RawClient(path);
        await client.GreetAsync();
        Assert.Equal(NbdOptionReply.Invalid, Assert.Single(await client.AskAsync(NbdOption.StartTls, [1])).Kind);
        await client.SecureAsync(authority);
        Assert.Equal(NbdOptionReply.Invalid, Assert.Single(await client.AskAsync(NbdOption.StartTls)).Kind);
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(await client.AskAsync(NbdOption.StructuredReply)).Kind);
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(await client.AskAsync(NbdOption.Abort)).Kind);
        Assert.True(await client.IsEndedAsync());

        // Who leaves before TLS may say so.
        using var leaving = new RawClient(path);
        await leaving.GreetAsync();
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(await leaving.AskAsync(NbdOption.Abort)).Kind);
        Assert.True(await leaving.IsEndedAsync());
    }

    [Fact]
    public async Task A_sidecar_with_a_certificate_may_listen_where_the_network_comes()
    {
        var authority = TestAuthority.Issue(_folder, "first");
        Use("first");
        await using var silo = await SiloProcess.StartAsync(new());
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var vmo = await client.CreateAsync(1 << 20);
        using var sidecar = ChildProcess.Start(new(
            BuiltServer.Find("client/Cli", "vmo"), ["nbd", "--endpoint", silo.Endpoint.ToString(), "--listen", "0.0.0.0:0", "--certificate", CertificateFile, "--key", KeyFile]) { RedirectStandardOutput = true });
        var port = Regex.Match(await sidecar.StandardOutput.ReadLineAsync() ?? "", @"ready nbd=0\.0\.0\.0:(\d+)").Groups[1].Value;
        Assert.Contains("with TLS", await Peer.RunAsync("nbdinfo", [$"nbds://localhost:{port}/{vmo.Handle.Reveal()}?tls-certificates={authority}"]), StringComparison.Ordinal);
        sidecar.Kill();
        await sidecar.WaitForExitAsync();
    }

    // Where a new VMO is a disk: host, port and name.
    private static async Task<string> DiskAsync(SiloProcess silo)
    {
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        return $"localhost:{Port().Match(silo.ReadyLine).Groups[1].Value}/{(await client.CreateAsync(1 << 20)).Handle.Reveal()}";
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

    [GeneratedRegex(@"nbd=127\.0\.0\.1:(\d+)")]
    private static partial Regex Port();
}
