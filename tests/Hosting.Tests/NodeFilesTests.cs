using System.Net;
using System.Net.Sockets;
using VmoCluster.Hosting.Nodes;
using Xunit;

namespace VmoCluster.Hosting.Tests;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class NodeFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-node-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void An_operators_credential_is_made_once_for_its_owner_alone()
    {
        var path = Path.Combine(_folder, "made", "operator");
        var token = OperatorCredential.ReadOrCreate(path);
        Assert.StartsWith("vmoop_", token, StringComparison.Ordinal);
        Assert.Equal(token, OperatorCredential.ReadOrCreate(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public async Task Of_many_who_come_at_once_all_have_the_same_credential()
    {
        for (var round = 0; round < 200; round++)
        {
            var path = Path.Combine(_folder, $"{round}", "operator");
            using var together = new Barrier(8);
            var tokens = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait();
                    return OperatorCredential.ReadOrCreate(path);
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            Assert.Single(tokens.Distinct());
            Assert.Single(Directory.GetFiles(Path.GetDirectoryName(path)!));
        }
    }

    [Theory]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    public void A_credential_that_others_can_read_or_change_is_refused(UnixFileMode mode)
    {
        var path = Path.Combine(_folder, "operator");
        OperatorCredential.ReadOrCreate(path);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | mode);
        Assert.Contains("chmod 600", Assert.Throws<StartupException>(() => OperatorCredential.ReadOrCreate(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_credential_opens_nothing()
    {
        var path = Path.Combine(_folder, "operator");
        OperatorCredential.ReadOrCreate(path);
        File.WriteAllText(path, "\n");
        Assert.Contains("remove it", Assert.Throws<StartupException>(() => OperatorCredential.ReadOrCreate(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_taken_port_is_told_by_its_name()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var taken = (IPEndPoint)holder.LocalEndpoint;
        var refusal = Assert.Throws<StartupException>(() => Ports.Check(taken, "--silo-port"));
        Assert.Contains($"--silo-port {taken}: port {taken.Port} is taken", refusal.Message, StringComparison.Ordinal);
        holder.Stop();
        Ports.Check(taken, "--silo-port");
    }

    [Fact]
    public void An_address_that_is_not_this_machines_is_told() =>
        Assert.Contains(
            "does not have the address 192.0.2.1",
            Assert.Throws<StartupException>(() => Ports.Check(new(IPAddress.Parse("192.0.2.1"), 0), "--listen")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_free_port_is_free() => Ports.Check(new(IPAddress.Loopback, Ports.Free(IPAddress.Loopback)), "--silo-port");
}
