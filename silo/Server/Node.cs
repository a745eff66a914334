using System.Net;
using VmoCluster.Hosting;
using VmoCluster.Hosting.Nodes;
using VmoCluster.Hosting.Settings;

namespace VmoCluster.Server;

/// <summary>
/// One node from start to end: ports asked for, store opened, silo joined, doors opened, one ready line; then, on SIGTERM or Ctrl-C, the same
/// backwards.
/// </summary>
internal static class Node
{
    /// <summary>Runs until the node is told to leave. Throws what kept it from starting.</summary>
    public static async Task RunAsync(VmoNodeOptions options)
    {
        CheckPorts(options);
        using var loggers = LoggerFactory.Create(logging => NodeLogging.Configure(logging, options));

        // The store before the credential: the store's folder is its own, and a folder that is not ours must stay as it was.
        await using var store = await NodeStore.OpenAsync(options, loggers, TimeProvider.System, CancellationToken.None);
        var operatorToken = OperatorCredential.ReadOrCreate(options.OperatorPath);

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.ClearProviders();
        NodeLogging.Configure(builder.Logging, options);
        builder.AddVmoCluster(options, store);

        var doors = new Doors(options);
        builder.WebHost.ConfigureKestrel(doors.Open);
        doors.AddServices(builder.Services, operatorToken);
        await using var app = builder.Build();
        doors.Map(app);

        await using var disks = DiskDoor.Open(options, app.Services);
        await StartAsync(app, options);
        disks?.Start(app.Lifetime);
        if (options.AllowUnauthenticated)
        {
            await Console.Error.WriteLineAsync("vmo node: nobody is authenticated here (--allow-unauthenticated); whoever reaches the ports can use them.");
        }

        // The one line on stdout. Kestrel is the last part to start: by now the silo has joined and has its session.
        await Console.Out.WriteLineAsync($"ready endpoint=http://{doors.Grpc} http=http://{doors.Http}{(disks is null ? "" : $" nbd={disks.Where}")}");
        await Console.Out.FlushAsync();
        await app.WaitForShutdownAsync();
    }

    private static void CheckPorts(VmoNodeOptions options)
    {
        Ports.Check(options.Listen, "--listen");
        Ports.Check(options.Http, "--http");
        if (options.Nbd is IPEndPoint nbd)
        {
            Ports.Check(nbd, "--nbd");
        }

        options.SiloPort = CheckOrFind(options.Address, options.SiloPort, "--silo-port");
        if (options.GatewayPort is { } gateway)
        {
            do
            {
                options.GatewayPort = CheckOrFind(options.Address, gateway, "--gateway-port");
            }
            while (gateway == 0 && options.GatewayPort == options.SiloPort);
        }
    }

    private static int CheckOrFind(IPAddress address, int port, string setting)
    {
        if (port == 0)
        {
            return Ports.Free(address);
        }

        Ports.Check(new(address, port), setting);
        return port;
    }

    private static async Task StartAsync(WebApplication app, VmoNodeOptions options)
    {
        try
        {
            await app.StartAsync();
        }
        catch (IOException failure) when (failure.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            // Free when we looked, taken when we came.
            Ports.Check(options.Listen, "--listen");
            Ports.Check(options.Http, "--http");
            throw new StartupException(failure.Message, failure);
        }
    }
}
