using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using VmoCluster.Client.Tests.Model;
using VmoCluster.GrpcDoor;

namespace VmoCluster.Client.Tests.Door;

/// <summary>The door on a real Kestrel on loopback, with a model behind it.</summary>
internal sealed class DoorHost : IAsyncDisposable
{
    public const string OperatorToken = "vmoop_for_tests_only";
    private readonly WebApplication _app;

    private DoorHost(WebApplication app, ModelCluster cluster, Uri address) => (_app, Cluster, Address) = (app, cluster, address);

    public ModelCluster Cluster { get; }
    public Uri Address { get; }

    public static async Task<DoorHost> StartAsync(VmoDoorOptions? options = null, ModelCluster? cluster = null, int port = 0)
    {
        cluster ??= new();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton<ITransport>(cluster);
        builder.Services.AddVmoDoor(options ?? new() { OperatorToken = OperatorToken });
        var app = builder.Build();
        app.MapVmoDoor();
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new(app, cluster, new(address));
    }

    public VmoClient Connect(string? token = null, VmoClientOptions? options = null) => VmoClient.Connect(new()
    {
        Endpoints = [Address],
        OperatorToken = token,
        AttemptTimeout = options?.AttemptTimeout ?? TimeSpan.FromSeconds(4),
        // The machines are shared: the first answer may take longer than a client that looks for a server would wait.
        ConnectTimeout = TimeSpan.FromSeconds(15),
        Deadline = options?.Deadline ?? TimeSpan.FromSeconds(15),
        JoinCalls = options?.JoinCalls ?? true,
    });

    public async ValueTask DisposeAsync()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await _app.StopAsync(stop.Token);
        await _app.DisposeAsync();
    }
}
