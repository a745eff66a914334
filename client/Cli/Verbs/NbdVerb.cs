using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.NbdDoor;

namespace VmoCluster.Cli.Verbs;

/// <summary>nbd [--listen HOST:PORT|unix:PATH] [--certificate FILE --key FILE]</summary>
internal sealed class NbdVerb : Verb
{
    private const string Unix = "unix:";

    private readonly Option<string?> _listen = OptionKinds.Text("--listen", "WHERE", "HOST:PORT (port 0: a free one) or unix:PATH (127.0.0.1:10809)");
    private readonly Option<string?> _certificate = OptionKinds.Text("--certificate", "FILE", "PEM certificate to show; TLS is required with it");
    private readonly Option<string?> _key = OptionKinds.Text("--key", "FILE", "PEM key of that certificate");

    public NbdVerb()
        : base("nbd", VerbGroup.Disks, "serve VMOs as disks over NBD, beside whoever uses them")
    {
        Details = "What each node does itself (--nbd), as a process of its own next to the consumer: QEMU, fio, libnbd or the kernel connect here, by a handle as\n" +
            "the export's name, and it calls any endpoint that answers. --timeout is how long a request is tried while a silo or the store is away,\n" +
            "before it fails with EIO (30s). Runs until Ctrl-C or SIGTERM. Prints where it listens when it does.";
        Examples = ["vmo nbd --listen unix:/run/vmo-nbd", "vmo nbd --endpoint http://a:7070,http://b:7070 --listen 127.0.0.1:0 --json"];
        TakeWords(0);
        Add(_listen);
        Add(_certificate);
        Add(_key);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var (where, certificate) = (Where(run.Get(_listen)), run.Get(_certificate));
        if ((certificate is null) != (run.Get(_key) is null))
            throw new UsageException("--certificate and --key belong together: give both or neither");
        if (certificate is null && where is IPEndPoint network && !IPAddress.IsLoopback(network.Address))
            throw new UsageException($"--listen {network}: handles would cross the network for all to read; give --certificate and --key, or listen on loopback or a unix socket");
        if (run.Timeout is { } most && (most < TimeSpan.FromMilliseconds(1) || most.TotalMilliseconds > Limits.DeadlineMaxMs))
            throw new UsageException($"--timeout: a request is tried for 1ms to {Limits.DeadlineMaxMs / 1000}s");

        void Tell(string what) => run.Surroundings.Error.WriteLine($"vmo nbd: {what}");
        try
        {
            var options = new NbdOptions();
            options = options with
            {
                Patience = run.Timeout ?? options.Patience,
                Certificate = certificate is null ? null : new NbdCertificate(certificate, run.Get(_key)!, Tell, run.Surroundings.Time).Current,
            };
            await using var server = NbdServer.Listen(where, await run.ClientAsync(options.Patience, cancellation), options, Tell);
            run.Answer(json => json.WriteString("nbd", server.Where), $"ready nbd={server.Where}");
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return ExitCodes.Ok;
        }
        catch (NbdSetupException failure)
        {
            throw new UsageException(failure.Message);
        }
    }

    private static EndPoint Where(string? text) => text switch
    {
        null => new IPEndPoint(IPAddress.Loopback, 10809),
        _ when text.StartsWith(Unix, StringComparison.Ordinal) && UnixOf(text[Unix.Length..]) is { } path => path,
        _ when text.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(text, out var network) => network,
        _ => throw new UsageException($"--listen {text}: must be an IP address and a port, such as 127.0.0.1:10809 (port 0: a free one), or unix: and a path of at most 107 bytes"),
    };

    private static UnixDomainSocketEndPoint? UnixOf(string path)
    {
        try
        {
            return new(path);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
