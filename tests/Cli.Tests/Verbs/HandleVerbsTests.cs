using System.Text;
using System.Text.Json;
using Xunit;

namespace VmoCluster.Cli.Tests.Verbs;

/// <summary>duplicate, replace, renew, close, revoke, signal, wait, ls, handle.</summary>
public sealed class HandleVerbsTests : IDisposable
{
    private readonly Shell _shell = new();

    [Fact]
    public async Task Duplicate_prints_the_handle_alone_and_with_json_its_rights()
    {
        var handle = await _shell.CreateAsync();
        Assert.True(VmoHandle.TryParse((await _shell.OkAsync("duplicate", handle, "--rights", "same")).Line, out _));
        var weak = await _shell.OkAsync("duplicate", handle, "--rights", "wait,read", "--json");
        Assert.Equal("handle,koid,rights", weak.Keys);
        Assert.Equal("read,wait", weak.Names("rights"));
        Assert.Equal("", (await _shell.OkAsync("duplicate", handle, "--rights", "none", "--json")).Names("rights"));
        (await _shell.RunAsync(["duplicate", weak.Json.GetProperty("handle").GetString()!, "--rights", "read"])).Refused(30, "vmo: ACCESS_DENIED: ");
    }

    [Fact]
    public async Task An_unknown_right_is_a_usage_error_and_one_the_handle_lacks_is_InvalidArgs()
    {
        var weak = (await _shell.OkAsync("duplicate", await _shell.CreateAsync(), "--rights", "read,duplicate")).Line;
        (await _shell.RunAsync(["duplicate", weak, "--rights", "read,fly"])).Refused(64, "vmo: usage: --rights: 'fly' is not one of duplicate, transfer");
        (await _shell.RunAsync(["duplicate", weak, "--rights", "execute"])).Refused(64, "vmo: usage: ");
        (await _shell.RunAsync(["duplicate", weak, "--rights", "write"])).Refused(10, "vmo: INVALID_ARGS: ");
    }

    [Fact]
    public async Task A_narrowed_handle_touches_its_range_only()
    {
        var handle = await _shell.CreateAsync();
        var narrow = (await _shell.OkAsync("duplicate", handle, "--rights", "read", "--range", "4KiB,0x1000")).Line;
        await _shell.OkAsync("read", narrow, "--offset", "4096", "--length", "4096");
        (await _shell.RunAsync(["read", narrow, "--offset", "4095", "--length", "2"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        (await _shell.RunAsync(["duplicate", handle, "--rights", "same", "--range", "4096"])).Refused(64, "vmo: usage: --range: '4096' is not OFF,LEN");
    }

    [Fact]
    public async Task Replace_ends_the_old_handle()
    {
        var handle = await _shell.CreateAsync();
        var made = await _shell.OkAsync("replace", handle, "--rights", "same", "--json");
        Assert.Equal("handle,koid,rights", made.Keys);
        (await _shell.RunAsync(["size", handle])).Refused(11, "vmo: BAD_HANDLE: ");
        await _shell.OkAsync("size", made.Json.GetProperty("handle").GetString()!);
    }

    [Fact]
    public async Task Renew_tells_when_the_handle_ends()
    {
        var handle = await _shell.CreateAsync();
        var moment = (await _shell.OkAsync("renew", handle, "--expires", "10m", "--json")).Json.GetProperty("expires").GetString()!;
        Assert.InRange(DateTimeOffset.Parse(moment), DateTimeOffset.UtcNow.AddMinutes(9), DateTimeOffset.UtcNow.AddMinutes(11));
        Assert.Equal(JsonValueKind.Null, (await _shell.OkAsync("renew", handle, "--expires", "never", "--json")).Json.GetProperty("expires").ValueKind);
        Assert.Equal("never", (await _shell.OkAsync("renew", handle, "--expires", "never")).Line);
        (await _shell.RunAsync(["renew", handle])).Refused(64, "vmo: usage: --expires T|never is missing");
        (await _shell.RunAsync(["renew", handle, "--expires", "99999999h"])).Refused(64, "vmo: usage: --expires: that is beyond the year 9999");
        await _shell.OkAsync("renew", handle, "--expires", "0");
        (await _shell.RunAsync(["size", handle])).Refused(11, "vmo: BAD_HANDLE: ");
    }

    [Fact]
    public async Task Close_tries_all_and_tells_how_many_it_closed()
    {
        var (a, b, c) = (await _shell.CreateAsync(), await _shell.CreateAsync(), await _shell.CreateAsync());
        Assert.Equal("{\"closed\":1}", (await _shell.OkAsync("close", a, "--json")).Line);
        var refused = await _shell.RunAsync(["close", a, b, "--json"]);
        Assert.Equal(11, refused.ExitCode);
        Assert.Empty(refused.Output);
        Assert.Equal("BadHandle", refused.ErrorJson.GetProperty("status").GetString());
        Assert.Equal(1, refused.ErrorJson.GetProperty("closed").GetInt32());
        // What is no handle at all does not keep the others from being closed.
        (await _shell.RunAsync(["close", c[..^1] + (c[^1] == 'a' ? 'b' : 'a'), "nonsense", c])).Refused(11, "vmo: BAD_HANDLE: 2 of 3 handles could not be closed");
        Assert.Empty(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task Close_says_nothing_and_reads_handles_from_stdin()
    {
        var (a, b) = (await _shell.CreateAsync(), await _shell.CreateAsync());
        var done = await _shell.RunAsync(["close", "-"], Encoding.UTF8.GetBytes($"{a}\n{b}\n"));
        Assert.Equal((0, "", ""), (done.ExitCode, done.Text, done.Error));
        Assert.Empty(_shell.Cluster.Vmos);
        (await _shell.RunAsync(["close", "-"], [])).Refused(64, "vmo: usage: no handle");
    }

    [Fact]
    public async Task Revoke_ends_what_was_derived()
    {
        var handle = await _shell.CreateAsync();
        var derived = (await _shell.OkAsync("duplicate", handle, "--rights", "same")).Line;
        var further = (await _shell.OkAsync("duplicate", derived, "--rights", "read")).Line;
        Assert.Equal("{\"revoked\":true}", (await _shell.OkAsync("revoke", derived, "--json")).Line);
        (await _shell.RunAsync(["size", further])).Refused(11, "vmo: BAD_HANDLE: ");
        Assert.Empty((await _shell.OkAsync("revoke", handle)).Output);
    }

    [Fact]
    public async Task Signals_are_set_cleared_and_waited_for()
    {
        var handle = await _shell.CreateAsync();
        Assert.Empty((await _shell.OkAsync("signal", handle, "--set", "user0,user7")).Output);
        Assert.Equal("zero-children,user7", (await _shell.OkAsync("signal", handle, "--clear", "user0", "--json")).Names("signals"));
        Assert.Equal("zero-children,user7", (await _shell.OkAsync("wait", handle, "--signals", "user7,user1")).Line);
        Assert.Equal("zero-children,user7", (await _shell.OkAsync("wait", handle, "--signals", "user7", "--json")).Names("signals"));
        (await _shell.RunAsync(["signal", handle, "--set", "zero-children"])).Refused(10, "vmo: INVALID_ARGS: ");
        (await _shell.RunAsync(["signal", handle, "--set", "user8"])).Refused(64, "vmo: usage: --set: 'user8' is not one of zero-children, user0");
        (await _shell.RunAsync(["signal", handle])).Refused(64, "vmo: usage: nothing to do");
    }

    [Theory]
    [InlineData("0")]
    [InlineData("50ms")]
    public async Task A_wait_that_times_out_prints_what_it_observed_and_ends_with_21(string timeout)
    {
        var handle = await _shell.CreateAsync();
        var done = await _shell.RunAsync(["wait", handle, "--signals", "user0", "--timeout", timeout]);
        Assert.Equal((21, "zero-children\n"), (done.ExitCode, done.Text));
        Assert.StartsWith("vmo: TIMED_OUT: none of user0 was seen within ", done.Error, StringComparison.Ordinal);
        done = await _shell.RunAsync(["--timeout", timeout, "--json", "wait", handle, "--signals", "user0"]);
        Assert.Equal((21, "zero-children"), (done.ExitCode, done.Names("signals")));
        Assert.Equal(-21, done.ErrorJson.GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task Of_several_handles_any_will_do()
    {
        var (a, b) = (await _shell.CreateAsync(), await _shell.CreateAsync());
        await _shell.OkAsync("signal", b, "--set", "user3");
        var done = await _shell.OkAsync("wait", a, b, "--signals", "user3", "--json");
        Assert.Equal("zero-children,user3", done.Names("signals"));
        Assert.Equal(2, done.Json.GetProperty("observed").GetArrayLength());
        var (first, second) = (VmoHandle.Parse(a), VmoHandle.Parse(b));
        Assert.Equal($"{first.Koid} zero-children\n{second.Koid} zero-children,user3\n", (await _shell.OkAsync("wait", a, b, "--signals", "user3")).Text);
        (await _shell.RunAsync(["wait", .. Enumerable.Repeat(a, 17), "--signals", "user3"])).Refused(14, "vmo: OUT_OF_RANGE: ");
    }

    [Fact]
    public async Task The_operators_verbs_find_the_credential_in_its_file()
    {
        var handle = await _shell.CreateAsync("8192", "--name", "base-1", "--label", "team=ci");
        await _shell.CreateAsync("4096", "--name", "other");
        var parsed = VmoHandle.Parse(handle);
        (await _shell.RunAsync(["ls"])).Refused(30, "vmo: ACCESS_DENIED: the operator's credential is needed: vmo-data/operator: ");

        var path = _shell.PathOf("operator");
        _shell.Environment["VMO_OPERATOR_FILE"] = path;
        File.WriteAllText(path, "-----BEGIN SOMETHING ELSE-----\n");
        (await _shell.RunAsync(["ls"])).Refused(30, $"vmo: ACCESS_DENIED: {path} holds no operator's credential");
        File.WriteAllText(path, "vmoop_abc\n");
        _shell.Cluster.IsOperator = true;
        var lines = (await _shell.OkAsync("ls", "--json")).Text.TrimEnd('\n').Split('\n');
        Assert.Equal("vmoop_abc", _shell.Options?.OperatorToken);
        Assert.Equal(2, lines.Length);
        Assert.Equal(
            $"{{\"koid\":{parsed.Koid},\"name\":\"base-1\",\"size\":8192,\"storedBytes\":0,\"handleCount\":1,\"kind\":\"root\",\"parentKoid\":0,\"labels\":{{\"team\":\"ci\"}}}}",
            (await _shell.OkAsync("ls", "--label", "team=ci", "--json")).Line);
        Assert.EndsWith("base-1  team=ci", (await _shell.OkAsync("ls", "--name", "base-*")).Line, StringComparison.Ordinal);
        (await _shell.RunAsync(["ls", "--label", "team"])).Refused(64, "vmo: usage: --label: 'team' is not KEY=VALUE");

        var made = await _shell.OkAsync("handle", $"{parsed.Koid}", "--json");
        Assert.Equal("handle,koid,rights", made.Keys);
        await _shell.OkAsync("size", made.Json.GetProperty("handle").GetString()!);
        (await _shell.RunAsync(["handle", "no"])).Refused(64, "vmo: usage: 'no' is not a koid");
        await _shell.OkAsync("size", handle);
        Assert.Null(_shell.Options?.OperatorToken);
    }

    public void Dispose() => _shell.Dispose();
}
