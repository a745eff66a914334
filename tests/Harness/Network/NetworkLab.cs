using System.Globalization;
using System.Net;
using System.Text;

namespace VmoCluster.Harness;

/// <summary>
/// A network of this test's own: participants in a network namespace each, on a bridge in another. The machine's own namespace has no
/// address and no route in it, so nothing gets in or out but through sockets made by <see cref="LabHost.NewSocket"/>. Faults are asked of
/// it by name, are at once in force for connections already open, and end with <see cref="Heal()"/>. Safe from several threads.
/// </summary>
public sealed class NetworkLab : IDisposable
{
    private const string Prefix = "vmolab-";
    private const int HostsMost = 250;
    private const string Link = "eth0";
    private static readonly Lazy<string?> WhyImpossible = new(Try);
    private static int s_labs;

    private readonly Lock _lock = new();
    private readonly string _name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Tools.Owner}-{Interlocked.Increment(ref s_labs)}-");
    private readonly List<LabHost> _hosts = [];

    // Of each pair (from, to), the hundredths of packets that get lost on the way. What is not in here arrives.
    private readonly Dictionary<(LabHost From, LabHost To), int> _losses = [];
    private readonly HashSet<LabHost> _limited = [];

    private NetworkLab()
    {
        Tools.Run("ip", "netns", "add", Hub);
        Tools.Run("ip", "-n", Hub, "link", "add", "bridge", "type", "bridge");
        Tools.Run("ip", "-n", Hub, "link", "set", "bridge", "up");
    }

    /// <summary>Why this machine has no such network; null where it has.</summary>
    public static string? Impossible => WhyImpossible.Value;

    private string Hub => _name + "hub";

    /// <summary>Makes one. Throws where it is <see cref="Impossible"/>.</summary>
    public static NetworkLab Open() => Impossible is { } why ? throw new PlatformNotSupportedException(why) : new();

    /// <summary>One more participant.</summary>
    public LabHost Add(string name)
    {
        lock (_lock)
        {
            if (_hosts.Count == HostsMost)
                throw new InvalidOperationException($"A lab has at most {HostsMost} participants.");
            var number = (_hosts.Count + 1).ToString(CultureInfo.InvariantCulture);
            var host = new LabHost(name, $"{_name}{number}", IPAddress.Parse("10.203.7." + number));
            _hosts.Add(host);
            Tools.Run("ip", "netns", "add", host.Namespace);
            Tools.Run("ip", "-n", Hub, "link", "add", "port" + number, "type", "veth", "peer", "name", Link, "netns", host.Namespace);
            Tools.Run("ip", "-n", Hub, "link", "set", "port" + number, "master", "bridge", "up");
            Tools.Run("ip", "-n", host.Namespace, "link", "set", "lo", "up");
            Tools.Run("ip", "-n", host.Namespace, "link", "set", Link, "up");
            Tools.Run("ip", "-n", host.Namespace, "addr", "add", host.Address + "/24", "dev", Link);
            return host;
        }
    }

    /// <summary>Nothing that one sends reaches the other; the other way it does.</summary>
    public void CutOneWay(LabHost from, LabHost to) => Lose(from, to, 100);

    /// <summary>Nothing gets from one to the other, either way. Open connections stay, and hang.</summary>
    public void Cut(LabHost one, LabHost other)
    {
        CutOneWay(one, other);
        CutOneWay(other, one);
    }

    /// <summary>Of the packets that one sends to the other so many in a hundred are lost, by chance.</summary>
    public void Lose(LabHost from, LabHost to, int percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        lock (_lock)
        {
            _losses[(from, to)] = percent;
            Apply(to);
        }
    }

    /// <summary>What the participant sends goes out at so many bits a second at most.</summary>
    public void Limit(LabHost host, long bitsPerSecond)
    {
        lock (_lock)
        {
            _limited.Add(host);
            Tools.Run(
                "tc", "-n", host.Namespace, "qdisc", "replace", "dev", Link, "root", "tbf", "rate", string.Create(CultureInfo.InvariantCulture, $"{bitsPerSecond}bit"),
                "burst", "16kb", "latency", "100ms");
        }
    }

    /// <summary>Between these two everything arrives again, both ways.</summary>
    public void Heal(LabHost one, LabHost other)
    {
        lock (_lock)
        {
            if (_losses.Remove((one, other)))
                Apply(other);
            if (_losses.Remove((other, one)))
                Apply(one);
        }
    }

    /// <summary>No faults any more.</summary>
    public void Heal()
    {
        lock (_lock)
        {
            var hosts = _losses.Keys.Select(way => way.To).ToHashSet();
            _losses.Clear();
            foreach (var host in hosts)
                Apply(host);
            foreach (var host in _limited)
                Tools.Run("tc", "-n", host.Namespace, "qdisc", "del", "dev", Link, "root");
            _limited.Clear();
        }
    }

    /// <summary>Removes all of it. Processes inside must have ended: what still runs keeps its namespace, without a name.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var name in _hosts.Select(host => host.Namespace).Append(Hub).Where(name => File.Exists("/run/netns/" + name)))
                Tools.Run("ip", "netns", "del", name);
            _hosts.Clear();
        }
    }

    /// <summary>What nft has to be told so that of the packets from each address so many in a hundred get lost.</summary>
    internal static string RulesOf(IEnumerable<(IPAddress From, int Percent)> losses)
    {
        // Said whole each time, in one transaction: at no moment is there half of it.
        var rules = new StringBuilder("table inet lab\ndelete table inet lab\ntable inet lab {\n chain arriving {\n  type filter hook input priority 0\n");
        foreach (var (from, percent) in losses.Where(loss => loss.Percent > 0))
        {
            var chance = percent == 100 ? "" : string.Create(CultureInfo.InvariantCulture, $" numgen random mod 100 < {percent}");
            rules.Append("  ip saddr ").Append(from).Append(chance).Append(" drop\n");
        }

        return rules.Append(" }\n}\n").ToString();
    }

    /// <summary>Removes the namespaces of runs that were ended before they could. How many there were.</summary>
    internal static int RemoveStale()
    {
        if (!Directory.Exists("/run/netns"))
            return 0;
        var stale = Directory.EnumerateFiles("/run/netns", Prefix + "*").Select(file => Path.GetFileName(file)!).Where(name => !Tools.IsAlive(name.Split('-')[1])).ToList();

        // Another process may remove the same one at the same time: then it is gone all the same.
        return stale.Count(name => Tools.Fails(null, "ip", "netns", "del", name) is null);
    }

    private void Apply(LabHost to)
    {
        var rules = RulesOf(_losses.Where(loss => loss.Key.To == to).Select(loss => (loss.Key.From.Address, loss.Value)));
        if (Tools.Fails(rules, "nsenter", $"--net={to.NamespaceFile}", "--", "nft", "-f", "-") is { } said)
            throw new InvalidOperationException($"{said}\n{rules}");
    }

    // The one way to know is to make one, with a rule of each kind in it.
    private static string? Try()
    {
        if (!OperatingSystem.IsLinux())
            return "Network namespaces are Linux'.";
        if (new[] { "ip", "tc", "nft", "nsenter" }.FirstOrDefault(program => !Tools.IsThere(program)) is { } missing)
            return $"The program {missing} is not here.";
        RemoveStale();
        try
        {
            using var lab = new NetworkLab();
            var (one, other) = (lab.Add("one"), lab.Add("other"));
            lab.Lose(one, other, 20);
            lab.Limit(one, 1_000_000);
            lab.Heal();
            one.NewSocket().Dispose();
            return null;
        }
        catch (InvalidOperationException failure)
        {
            return failure.Message;
        }
    }
}
