using System.Text;
using Xunit;

namespace VmoCluster.Cli.Tests.Verbs;

/// <summary>What the page says of every command: options, handles, errors, help.</summary>
public sealed class EveryCommandTests : IDisposable
{
    private readonly Shell _shell = new();

    [Fact]
    public async Task Options_stand_before_or_after_the_verb()
    {
        var handle = await _shell.CreateAsync();
        foreach (string[] args in (string[][])
            [
                ["--json", "size", handle], ["size", "--json", handle], ["size", handle, "--json"],
                ["--timeout", "2s", "size", "--json", handle], ["--endpoint", "http://h:1", "--json", "size", handle], ["size", handle, "--json", "--timeout=2"],
            ])
        {
            Assert.Equal("{\"size\":65536}", (await _shell.OkAsync(args)).Line);
        }
    }

    [Fact]
    public async Task Endpoints_come_from_the_option_the_environment_or_the_default()
    {
        var handle = await _shell.CreateAsync();
        Assert.Equal(["http://127.0.0.1:7070/"], _shell.Options!.Endpoints.Select(e => e.ToString()));
        _shell.Environment["VMO_ENDPOINT"] = "http://a:1,https://b:2";
        await _shell.OkAsync("size", handle);
        Assert.Equal(["http://a:1/", "https://b:2/"], _shell.Options!.Endpoints.Select(e => e.ToString()));
        await _shell.OkAsync("size", handle, "--endpoint", "c:3");
        Assert.Equal(["http://c:3/"], _shell.Options!.Endpoints.Select(e => e.ToString()));
        foreach (var bad in new[] { "ftp://a", "http://", "http://a,,http://b", "http://a/path", "a b" })
            (await _shell.RunAsync(["size", handle, "--endpoint", bad])).Refused(64, "vmo: usage: --endpoint: ");
        _shell.Environment["VMO_ENDPOINT"] = "nonsense:port";
        (await _shell.RunAsync(["size", handle])).Refused(64, "vmo: usage: VMO_ENDPOINT: 'nonsense:port'");
    }

    [Theory]
    [InlineData(null, 15_000)]
    [InlineData("500ms", 500)]
    [InlineData("2m", 60_000)]
    public async Task The_time_a_call_is_tried_is_the_timeout_within_the_clusters_most(string? timeout, int milliseconds)
    {
        await _shell.OkAsync(["create", "--size", "1", .. timeout is null ? Array.Empty<string>() : ["--timeout", timeout]]);
        Assert.Equal(milliseconds, _shell.Options!.Deadline.TotalMilliseconds);
        (await _shell.RunAsync(["create", "--size", "1", "--timeout", "-1s"])).Refused(64, "vmo: usage: --timeout: '-1s' is not a whole number of seconds");
    }

    [Fact]
    public async Task Handles_come_as_text_from_stdin_from_a_file_or_from_the_environment()
    {
        var (handle, path) = (await _shell.CreateAsync(), _shell.PathOf("h"));
        File.WriteAllText(path, $"  {handle}\n");
        Assert.Equal("65536", (await _shell.OkAsync("size", $"@{path}")).Line);
        Assert.Equal("65536\n", (await _shell.RunAsync(["size", "-"], Encoding.UTF8.GetBytes(handle + "\r\n"))).Text);
        (await _shell.RunAsync(["size"])).Refused(64, "vmo: usage: no handle: give one, or - to read it from stdin, @FILE, or set VMO_HANDLE");
        _shell.Environment["VMO_HANDLE"] = handle;
        Assert.Equal("65536", (await _shell.OkAsync("size")).Line);
        Assert.Empty((await _shell.OkAsync("op", "commit", "--offset", "0", "--length", "0")).Output);
        await _shell.OkAsync("export", _shell.PathOf("copy"));
        Assert.Empty((await _shell.OkAsync("close")).Output);
        Assert.Empty(_shell.Cluster.Vmos);
        (await _shell.RunAsync(["size", "@" + _shell.PathOf("no")])).Refused(25, "vmo: NOT_FOUND: ");
        File.WriteAllText(path, $"{handle}\n{handle}\n");
        (await _shell.RunAsync(["size", $"@{path}"])).Refused(64, "vmo: usage: one handle is needed, the file has 2");
    }

    [Fact]
    public async Task A_word_that_is_no_handle_is_BadHandle_and_is_not_repeated()
    {
        var handle = await _shell.CreateAsync();
        foreach (var bad in new[] { handle[..^1], handle + "a", handle[..20] + (handle[20] == 'q' ? 'r' : 'q') + handle[21..], handle.ToUpperInvariant(), "hello", "" })
        {
            var refused = await _shell.RunAsync(["size", bad]);
            refused.Refused(11, "vmo: BAD_HANDLE: ");
            Assert.DoesNotContain(handle[8..18], refused.Error, StringComparison.OrdinalIgnoreCase);
            Assert.Equal(-11, (await _shell.RunAsync(["size", "--json", bad])).ErrorJson.GetProperty("code").GetInt32());
        }
    }

    [Fact]
    public async Task No_secret_is_in_any_usage_error()
    {
        var handle = await _shell.CreateAsync();
        foreach (string[] args in (string[][])
            [[handle], ["size", handle, handle], ["size", handle, "--set", handle], ["op", handle, handle, "--offset", "0", "--length", "0"], ["--" + handle], ["size", "--" + handle], ["handle", handle], ["explain", handle, handle], ["clone", "--kind", handle], ["tree", handle, handle], ["scrub", handle, handle], ["completion", handle]])
        {
            var refused = await _shell.RunAsync(args);
            Assert.Equal(64, refused.ExitCode);
            Assert.DoesNotContain(handle[8..], refused.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("craete", "'craete' is not a verb of vmo; did you mean 'create'?")]
    [InlineData("dupplicate", "'dupplicate' is not a verb of vmo; did you mean 'duplicate'?")]
    [InlineData("xyzzy", "'xyzzy' is not a verb of vmo; vmo --help lists them")]
    [InlineData("jobs", "'jobs' is not a verb of vmo; vmo --help lists them")]
    [InlineData("doctor", "'doctor' is not a verb of vmo; vmo --help lists them")]
    public async Task A_misspelt_verb_gets_a_suggestion(string verb, string message) =>
        (await _shell.RunAsync([verb, "--size", "1"])).Refused(64, $"vmo: usage: {message}");

    [Fact]
    public async Task Wrong_options_and_words_are_told_as_what_they_are()
    {
        var handle = await _shell.CreateAsync();
        (await _shell.RunAsync(["create"])).Refused(64, "vmo: usage: --size N is missing");
        (await _shell.RunAsync(["create", "--siz", "1"])).Refused(64, "vmo: usage: '--siz' is not an option of vmo create; did you mean '--size'?");
        (await _shell.RunAsync(["create", "--size"])).Refused(64, "vmo: usage: ");
        (await _shell.RunAsync(["create", "--size", "1", "--size", "2"])).Refused(64, "vmo: usage: ");
        (await _shell.RunAsync(["create", "--size", "1", "word"])).Refused(64, "vmo: usage: 'word' is one word too many: vmo create");
        (await _shell.RunAsync(["size", handle, "word"])).Refused(64, "vmo: usage: 'word' is one word too many: vmo size [H]");
        (await _shell.RunAsync(["size", handle, "-x"])).Refused(64, "vmo: usage: '-x' is not an option of vmo size");
        (await _shell.RunAsync(["read", handle, "--offset", "0"])).Refused(64, "vmo: usage: --length N is missing");
        (await _shell.RunAsync(["--version", "what"])).Refused(64, "vmo: usage: 'what' is not a verb");
        (await _shell.RunAsync(["--json"])).Refused(64, "{\"status\":\"Usage\",\"code\":64,");
        Assert.Single(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task Nothing_at_all_shows_the_overview_as_a_mistake()
    {
        var done = await _shell.RunAsync([]);
        Assert.Equal(64, done.ExitCode);
        Assert.Empty(done.Output);
        Assert.Contains("Usage:", done.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_is_not_there_is_exit_code_69()
    {
        using var shell = new Shell { NotListening = "Connection refused" };
        (await shell.RunAsync(["create", "--size", "1"])).Refused(69, "vmo: no connection: http://127.0.0.1:7070: Connection refused");
        var error = (await shell.RunAsync(["create", "--size", "1", "--json", "--endpoint", "http://a:1,http://b:2", "--timeout", "1ms"])).ErrorJson;
        Assert.Equal("NoConnection", error.GetProperty("status").GetString());
        Assert.Equal(69, error.GetProperty("code").GetInt32());
        Assert.Equal("http://a:1: Connection refused; http://b:2: Connection refused", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Version_prints_the_clients_and_the_servers()
    {
        Assert.Equal("client 0.1.0\nserver 9.9.9\n", (await _shell.OkAsync("--version")).Text);
        Assert.Equal("{\"client\":\"0.1.0\",\"server\":\"9.9.9\"}", (await _shell.OkAsync("--version", "--json")).Line);
        using var alone = new Shell { NotListening = "Connection refused" };
        Assert.Equal("{\"client\":\"0.1.0\",\"server\":null}", (await alone.OkAsync("--json", "--version")).Line);
        Assert.StartsWith("client 0.1.0\nserver not reached: ", (await alone.OkAsync("--version")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_names_every_verb_and_every_option_and_shows_examples()
    {
        var line = new CommandLine(Surroundings.OfProcess());
        var overview = (await _shell.OkAsync("--help")).Text;
        Assert.All(line.Verbs, verb => Assert.Contains($"\n  {verb.Name} ", overview, StringComparison.Ordinal));
        foreach (var verb in line.Verbs)
        {
            var help = (await _shell.OkAsync(verb.Name, "--help")).Text;
            Assert.Equal(help, (await _shell.OkAsync("-h", verb.Name)).Text);
            Assert.StartsWith($"vmo {verb.Name}: ", help, StringComparison.Ordinal);
            Assert.All(verb.Options, option => Assert.Contains($"\n  {option.Name}", help, StringComparison.Ordinal));
            Assert.Contains("\nExamples:\n  ", help, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_verbs_are_those_of_the_page_that_exist()
    {
        const string verbs = "create clone info size content-size name tree explain read write op import export nbd duplicate replace renew close revoke signal wait ls handle scrub completion";
        Assert.Equal(verbs.Split(' '), new CommandLine(Surroundings.OfProcess()).Verbs.Select(v => v.Name));
    }

    [Fact]
    public async Task Hints_and_colour_are_for_terminals()
    {
        using var terminal = new Shell { IsTerminal = true };
        Assert.Contains("hint: ", (await terminal.RunAsync(["create", "--size", "1"])).Error, StringComparison.Ordinal);
        Assert.Equal("", (await terminal.RunAsync(["create", "--size", "1", "--json"])).Error);
        Assert.StartsWith("\e[1;31mvmo:\e[0m BAD_HANDLE", (await terminal.RunAsync(["size", "x"])).Error, StringComparison.Ordinal);
        terminal.Environment["NO_COLOR"] = "1";
        Assert.StartsWith("vmo: BAD_HANDLE", (await terminal.RunAsync(["size", "x"])).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_is_retried_as_the_cluster_says_and_told_in_full()
    {
        _shell.Cluster.Before = _ => new(VmoStatus.ShouldWait, "4096 calls wait, 4096 at most", 7);
        var refused = await _shell.RunAsync(["create", "--size", "1", "--timeout", "50ms", "--json"]);
        Assert.Equal(22, refused.ExitCode);
        Assert.True(refused.ErrorJson.GetProperty("retryable").GetBoolean());
        Assert.Equal(7, refused.ErrorJson.GetProperty("retryAfterMs").GetInt32());
        Assert.Contains("4096 calls wait, 4096 at most", refused.ErrorJson.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bash", "complete -F _vmo vmo")]
    [InlineData("zsh", "#compdef vmo")]
    [InlineData("fish", "complete -c vmo")]
    public async Task Completion_knows_every_verb_and_option(string shell, string mark)
    {
        var script = (await _shell.OkAsync("completion", shell)).Text;
        Assert.Contains(mark, script, StringComparison.Ordinal);
        foreach (var verb in new CommandLine(Surroundings.OfProcess()).Verbs)
        {
            Assert.Contains(verb.Name, script, StringComparison.Ordinal);
            Assert.All(verb.Options, o => Assert.Contains(o.Name[2..], script, StringComparison.Ordinal));
        }

        Assert.Contains("live snapshot slice reference", script, StringComparison.Ordinal);
        Assert.DoesNotContain("Root", script, StringComparison.Ordinal);
        (await _shell.RunAsync(["completion", "tcsh"])).Refused(64, "vmo: usage: 'tcsh' is not one of bash, zsh, fish");
        (await _shell.RunAsync(["completion"])).Refused(64, "vmo: usage: say for which shell");
    }

    public void Dispose() => _shell.Dispose();
}
