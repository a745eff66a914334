using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>A node that serves disks on a unix socket, and a client of it.</summary>
public sealed class DiskNode : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-nbd-").FullName;

    /// <summary>The node.</summary>
    public SiloProcess Silo { get; private set; } = null!;

    /// <summary>Makes the disks.</summary>
    public VmoClient Client { get; private set; } = null!;

    /// <summary>The socket's path.</summary>
    public string Socket => Path.Combine(_folder, "nbd");

    public async Task InitializeAsync()
    {
        Silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", $"unix:{Socket}"] });
        Client = VmoClient.Connect(new() { Endpoints = [Silo.Endpoint], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30) });
    }

    public async Task DisposeAsync()
    {
        if (Client is not null)
            await Client.DisposeAsync();
        if (Silo is not null)
            await Silo.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>What libnbd and QEMU know an export by.</summary>
    public string Uri(Vmo vmo, string options = "") => $"nbd+unix:///{vmo.Handle.Reveal()}{options}?socket={Socket}";

    /// <summary>A file of the node's, gone with it.</summary>
    public string File(string name) => Path.Combine(_folder, name);
}
