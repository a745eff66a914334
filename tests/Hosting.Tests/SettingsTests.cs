using System.Collections;
using System.Net;
using System.Net.Sockets;
using VmoCluster.Hosting.Settings;
using VmoCluster.PageStore;
using Xunit;

namespace VmoCluster.Hosting.Tests;

public sealed class SettingsTests
{
    [Fact]
    public void A_node_that_is_told_nothing_is_alone_on_loopback()
    {
        var options = Read([]);
        Assert.True(options.IsEmbedded);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 7070), options.Listen);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 7071), options.Http);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 10809), options.Nbd);
        Assert.Equal(Path.Combine("./vmo-data", "operator"), options.OperatorPath);
        Assert.Null(options.GatewayPort);
    }

    [Fact]
    public void The_command_line_is_stronger_than_the_environment_and_that_than_the_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, """{"Vmo": {"Data": "/file", "Prefix": "file:", "SiloPort": 11111}}""");
        try
        {
            var options = Read(["--config", file, "--data", "/line"], ("Vmo__Data", "/environment"), ("VMO__PREFIX", "environment:"));
            Assert.Equal(("/line", "environment:", 11111), (options.Data, options.Prefix, options.SiloPort));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Options_may_carry_their_value_behind_an_equals_sign()
    {
        var options = Read(["--redis=10.0.0.1:6379,ssl=true", "--durability=replicas:2", "--page-cache=0x10MiB", "--listen=[::1]:0"]);
        Assert.Equal("10.0.0.1:6379,ssl=true", options.Redis);
        Assert.Equal(Durability.Replicas(2), options.Durability);
        Assert.Equal(16L << 20, options.PageCacheBytes);
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Loopback, 0), options.Listen);
    }

    [Fact]
    public void Disks_are_served_on_a_port_on_a_socket_or_nowhere()
    {
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 0), Read(["--nbd", "127.0.0.1:0"]).Nbd);
        Assert.Equal(new UnixDomainSocketEndPoint("/run/vmo/nbd"), Read(["--nbd", "unix:/run/vmo/nbd"]).Nbd);
        Assert.Null(Read([], ("Vmo__Nbd", "none")).Nbd);
        var longest = "/" + new string('x', 106);
        Assert.Equal(new UnixDomainSocketEndPoint(longest), Read(["--nbd", $"unix:{longest}"]).Nbd);
        Assert.Contains("at most 107 bytes", Refused(["--nbd", $"unix:{longest}x"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_door_needs_a_port_of_its_own()
    {
        Assert.Contains("--listen and --http are both 127.0.0.1:7071", Refused(["--listen", "127.0.0.1:7071"]), StringComparison.Ordinal);
        Assert.Contains("--http and --nbd are both 127.0.0.1:7071", Refused(["--nbd", "127.0.0.1:7071"]), StringComparison.Ordinal);
        Assert.Equal(0, ((IPEndPoint)Read(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--nbd", "127.0.0.1:0"]).Nbd!).Port);
    }

    [Theory]
    [InlineData("--datta", "did you mean --data?")]
    [InlineData("--silo_port", "did you mean --silo-port?")]
    [InlineData("--frobnicate", "--help lists them")]
    [InlineData("stray", "--help lists them")]
    public void An_unknown_option_is_an_error_that_names_the_nearest(string option, string hint) =>
        Assert.Contains(hint, Refused([option]), StringComparison.Ordinal);

    [Theory]
    [InlineData("Vmo__Dat", "did you mean Vmo__Data?")]
    [InlineData("VMO__LISTN", "did you mean Vmo__Listen?")]
    [InlineData("Vmo__Store__Data", "there is no such setting")]
    public void An_unknown_variable_of_the_environment_is_an_error_that_names_the_nearest(string variable, string hint) =>
        Assert.Contains(hint, Refused([], (variable, "x")), StringComparison.Ordinal);

    [Fact]
    public void An_unknown_key_of_the_file_is_an_error_that_names_the_nearest()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, """{"Vmo": {"PageCach": "1GiB", "Data": {"Folder": "/x"}}, "Other": {"Data": 1}}""");
        try
        {
            var mistakes = Refused(["--config", file]);
            Assert.Contains($"did you mean Vmo:PageCache in {file}?", mistakes, StringComparison.Ordinal);
            Assert.Contains("Vmo:Data:Folder", mistakes, StringComparison.Ordinal);
            Assert.DoesNotContain("Other", mistakes, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("/does/not/exist.json", "exist.json")]
    public void A_file_that_cannot_be_read_is_an_error(string file, string named) =>
        Assert.Contains(named, Refused(["--config", file]), StringComparison.Ordinal);

    [Theory]
    [InlineData("--listen", "7070")]
    [InlineData("--listen", "127.0.0.1")]
    [InlineData("--listen", "127.0.0.1:65536")]
    [InlineData("--listen", "127.0.0.1:-1")]
    [InlineData("--listen", "somewhere:7070")]
    [InlineData("--listen", "::1:7070")]
    [InlineData("--http", "")]
    [InlineData("--silo-port", "eleven")]
    [InlineData("--gateway-port", "70000")]
    [InlineData("--address", "0.0.0.0")]
    [InlineData("--address", "host")]
    [InlineData("--page-cache", "64MB")]
    [InlineData("--page-cache", "-1")]
    [InlineData("--page-cache", "1024")]
    [InlineData("--map-cache", "9999999TiB")]
    [InlineData("--grant-cache", "1MiB")]
    [InlineData("--calls", "63")]
    [InlineData("--store-calls", "0")]
    [InlineData("--calls", "many")]
    [InlineData("--store-calls", "1000001")]
    [InlineData("--call-memory", "1MiB")]
    [InlineData("--store-memory", "1MiB")]
    [InlineData("--durability", "replicas:0")]
    [InlineData("--durability", "always")]
    [InlineData("--nbd", "10809")]
    [InlineData("--nbd", "unix:")]
    [InlineData("--nbd", "/run/vmo/nbd")]
    [InlineData("--nbd", "0.0.0.0:10809")]
    [InlineData("--nbd", "127.0.0.1:7070")]
    [InlineData("--nbd-certificate", "/crt.pem")]
    [InlineData("--nbd-patience", "0")]
    [InlineData("--nbd-patience", "61")]
    [InlineData("--accept-store", "old")]
    [InlineData("--accept-store", "0123")]
    [InlineData("--log-level", "3")]
    [InlineData("--log-level", "loud")]
    [InlineData("--trace-ratio", "1.1")]
    [InlineData("--trace-ratio", "NaN")]
    [InlineData("--allow-unauthenticated=perhaps", null)]
    [InlineData("--data", null)]
    public void A_bad_value_is_an_error_that_names_its_option(string option, string? value)
    {
        var mistakes = Refused(value is null ? [option] : [option, value]);
        Assert.Contains(option.Split('=')[0], mistakes, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', mistakes);
    }

    [Fact]
    public void All_mistakes_are_told_at_once() =>
        Assert.Equal(3, Refused(["--dta=/x", "--silo-port", "x"], ("Vmo__Http", "y")).Split('\n').Length);

    [Fact]
    public void Beyond_loopback_a_node_listens_only_when_told_that_nobody_is_authenticated()
    {
        var mistakes = Refused(["--listen", "0.0.0.0:7070", "--http", "10.0.0.7:7071"]);
        Assert.Contains("--listen 0.0.0.0:7070", mistakes, StringComparison.Ordinal);
        Assert.Contains("--http 10.0.0.7:7071", mistakes, StringComparison.Ordinal);
        Assert.Contains("--allow-unauthenticated", mistakes, StringComparison.Ordinal);
        Assert.True(Read(["--listen", "0.0.0.0:7070", "--allow-unauthenticated"]).AllowUnauthenticated);
    }

    [Theory]
    [InlineData("127.0.0.1:6379,frobnicate=1")]
    [InlineData("ssl=true,password=geheim")]
    public void A_Redis_configuration_that_is_none_is_a_usage_error_without_its_password(string configuration)
    {
        var mistakes = Refused(["--redis", configuration]);
        Assert.Contains("--redis: ", mistakes, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", mistakes, StringComparison.Ordinal);
    }

    [Fact]
    public void An_authority_is_given_with_a_Redis_over_TLS_only()
    {
        Assert.Equal("/ca.crt", Read(["--redis", "10.0.0.7:6380,ssl=true"], ("Vmo__RedisCa", "/ca.crt")).RedisCa);
        Assert.Contains("--redis-ca /ca.crt: ", Refused(["--redis-ca", "/ca.crt"]), StringComparison.Ordinal);
        Assert.Contains("ssl=true", Refused(["--redis-ca", "/ca.crt", "--redis", "10.0.0.7:6379"]), StringComparison.Ordinal);
        Assert.DoesNotContain('\n', Refused(["--redis-ca", "/ca.crt", "--redis", "10.0.0.7:6379,frobnicate=1"]));
    }

    [Fact]
    public void Replicas_of_the_embedded_store_there_are_none() =>
        Assert.Contains("no replicas", Refused(["--durability", "replicas:1"]), StringComparison.Ordinal);

    [Fact]
    public void A_password_is_not_taken_from_the_command_line_and_stands_in_no_message()
    {
        Assert.Contains("no such option", Refused(["--redis-password", "geheim"]), StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", Refused([], ("Vmo__RedisPassword", "geheim")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_help_names_every_option_and_every_variable()
    {
        var help = SettingsReader.Help();
        foreach (var setting in NodeSettings.All)
        {
            Assert.Contains("Vmo__" + setting.Key, help, StringComparison.Ordinal);
            Assert.Contains(setting.Option ?? "", help, StringComparison.Ordinal);
        }
    }

    private static VmoNodeOptions Read(string[] args, params (string Name, string Value)[] environment)
    {
        var variables = new Hashtable { ["PATH"] = "/bin", ["VMO_ENDPOINT"] = "http://127.0.0.1:1" };
        foreach (var (name, value) in environment)
        {
            variables[name] = value;
        }

        return SettingsReader.Read(args, variables);
    }

    private static string Refused(string[] args, params (string Name, string Value)[] environment) =>
        Assert.Throws<SettingsException>(() => Read(args, environment)).Message;
}
