using System.Net;
using System.Net.Sockets;

namespace VmoCluster.Hosting.Nodes;

/// <summary>Ports of this machine, asked for before anything is started, so that a taken one is told by its name.</summary>
public static class Ports
{
    // Below the range from which Linux gives ports to outgoing connections: nothing takes one of these by chance between our look and our bind.
    private const int FreeFrom = 20_000;
    private const int FreeTo = 32_000;
    private const int Tries = 200;

    /// <summary>Throws <see cref="StartupException"/> if the port is taken or not ours to bind; port 0 never is.</summary>
    /// <param name="endpoint">Where to listen.</param>
    /// <param name="setting">The setting that says so.</param>
    public static void Check(IPEndPoint endpoint, string setting)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (TryBind(endpoint) is not { } error)
        {
            return;
        }

        throw new StartupException(error switch
        {
            SocketError.AddressAlreadyInUse => $"{setting} {endpoint}: port {endpoint.Port} is taken by another process; stop it, or choose another port (0 is a free one)",
            SocketError.AccessDenied => $"{setting} {endpoint}: this user may not listen on port {endpoint.Port}; choose one above 1023",
            SocketError.AddressNotAvailable => $"{setting} {endpoint}: this machine does not have the address {endpoint.Address}",
            _ => $"{setting} {endpoint}: cannot listen there ({error})",
        });
    }

    /// <summary>A port that is free at present, for those who cannot bind port 0 and tell.</summary>
    public static int Free(IPAddress address)
    {
        for (var i = 0; i < Tries; i++)
        {
            var port = Random.Shared.Next(FreeFrom, FreeTo);
            if (TryBind(new(address, port)) is null)
            {
                return port;
            }
        }

        throw new StartupException($"No free port between {FreeFrom} and {FreeTo} on {address} was found: name one with --silo-port");
    }

    private static SocketError? TryBind(IPEndPoint endpoint)
    {
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // As the servers themselves bind: a port whose last owner's connections still linger is free.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(endpoint);
            socket.Listen();
            return null;
        }
        catch (SocketException failure)
        {
            return failure.SocketErrorCode;
        }
    }
}
