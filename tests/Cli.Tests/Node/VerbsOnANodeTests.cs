using System.Text.Json;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>Every row of the page, by the built program on a real node.</summary>
[Collection("nodes")]
public sealed class VerbsOnANodeTests(NodeFixture node) : IClassFixture<NodeFixture>
{
    private const string AllRights = "duplicate,transfer,read,write,map,get-property,set-property,signal,wait,inspect";
    private readonly Vmo _vmo = node.Vmo;

    [Fact]
    public async Task Objects_and_their_bytes()
    {
        var made = await _vmo.OkAsync("create", "--size", "5000", "--name", "n", "--label", "a=1", "--json");
        Assert.Equal("handle,koid,size,rights", made.Keys);
        Assert.Equal((8192, AllRights), (made.Json.GetProperty("size").GetInt32(), made.Names("rights")));
        var handle = made.Json.GetProperty("handle").GetString()!;
        var koid = made.Json.GetProperty("koid").GetUInt64();
        _vmo.Environment["VMO_HANDLE"] = handle;

        Assert.Equal("8192", (await _vmo.OkAsync("size")).Line);
        Assert.Equal("{\"size\":65536}", (await _vmo.OkAsync("size", "--set", "64KiB", "--json")).Line);
        Assert.Equal("{\"name\":\"other ü\"}", (await _vmo.OkAsync("name", "--set", "other ü", "--json")).Line);
        Assert.Equal("other ü", (await _vmo.OkAsync("name")).Line);
        Assert.Equal("31", (await _vmo.OkAsync("name", "--set", new string('x', 40))).Line.Length.ToString());
        Assert.Equal(new string('x', 31), (await _vmo.OkAsync("name")).Line);
        Assert.Equal("{\"contentSize\":1000}", (await _vmo.OkAsync("content-size", "--set", "1000", "--json")).Line);
        Assert.Equal("1000", (await _vmo.OkAsync("content-size")).Line);

        Assert.Equal("{\"offset\":4094,\"length\":5}", (await _vmo.RunAsync(["write", "--offset", "4094", "--json"], "hello"u8.ToArray())).Line);
        Assert.Equal("\0hello\0", (await _vmo.OkAsync("read", "--offset", "4093", "--length", "7")).Text);
        Assert.Equal(
            $"{{\"runs\":[{{\"offset\":0,\"length\":8192,\"state\":\"data\",\"owner\":{koid}}}]}}",
            (await _vmo.OkAsync("op", "lookup", "--offset", "0", "--length", "64KiB", "--json")).Line);
        Assert.Empty((await _vmo.OkAsync("op", "zero", "--offset", "0", "--length", "4096")).Output);
        Assert.Empty((await _vmo.OkAsync("op", "commit", "--offset", "32768", "--length", "1")).Output);
        Assert.Equal($"4096 4096 data {koid}\n32768 4096 zero {koid}\n", (await _vmo.OkAsync("op", "lookup", "--offset", "0", "--length", "64KiB")).Text);
        Assert.Empty((await _vmo.OkAsync("op", "decommit", "--offset", "0", "--length", "64KiB")).Output);
        Assert.Equal("{\"runs\":[]}", (await _vmo.OkAsync("op", "lookup", "--offset", "0", "--length", "64KiB", "--json")).Line);

        var info = await _vmo.OkAsync("info", "--json");
        Assert.Equal(
            "koid,type,rights,handleCount,name,size,contentSize,resizable,kind,parentKoid,offset,numChildren,numMappings,committedBytes,chargedBytes," +
            "wouldFree,version,signals,expires,range,labels",
            info.Keys);
        Assert.Equal((1, 65536, 0), (info.Json.GetProperty("handleCount").GetInt32(), info.Json.GetProperty("size").GetInt32(), info.Json.GetProperty("chargedBytes").GetInt32()));
        Assert.Equal("{\"a\":\"1\"}", info.Json.GetProperty("labels").GetRawText());
        Assert.Equal("{\"closed\":1}", (await _vmo.OkAsync("close", "--json")).Line);
        (await _vmo.RunAsync(["size"])).Refused(11, "vmo: BAD_HANDLE: ");
    }

    [Fact]
    public async Task Handles()
    {
        var handle = (await _vmo.OkAsync("create", "--size", "64KiB")).Line;
        var weak = await _vmo.OkAsync("duplicate", handle, "--rights", "read,duplicate", "--expires", "1h", "--range", "4KiB,8KiB", "--json");
        Assert.Equal(("handle,koid,rights", "duplicate,read"), (weak.Keys, weak.Names("rights")));
        var weakHandle = weak.Json.GetProperty("handle").GetString()!;
        var info = (await _vmo.OkAsync("info", weakHandle, "--json")).Json;
        Assert.False(info.TryGetProperty("name", out _) || info.TryGetProperty("handleCount", out _) || info.TryGetProperty("labels", out _));
        Assert.Equal("{\"offset\":4096,\"length\":8192}", info.GetProperty("range").GetRawText());
        Assert.InRange(DateTimeOffset.Parse(info.GetProperty("expires").GetString()!), DateTimeOffset.UtcNow.AddMinutes(50), DateTimeOffset.UtcNow.AddMinutes(61));
        await _vmo.OkAsync("read", weakHandle, "--offset", "4096", "--length", "8192");
        (await _vmo.RunAsync(["read", weakHandle, "--offset", "0", "--length", "1"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        (await _vmo.RunAsync(["write", weakHandle, "--offset", "4096"], [1])).Refused(30, "vmo: ACCESS_DENIED: ");
        (await _vmo.RunAsync(["duplicate", weakHandle, "--rights", "write"])).Refused(10, "vmo: INVALID_ARGS: ");
        var deeper = (await _vmo.OkAsync("duplicate", weakHandle, "--rights", "same")).Line;
        Assert.Equal("{\"revoked\":true}", (await _vmo.OkAsync("revoke", weakHandle, "--json")).Line);
        (await _vmo.RunAsync(["size", deeper])).Refused(11, "vmo: BAD_HANDLE: ");

        var replaced = (await _vmo.OkAsync("replace", handle, "--rights", "same", "--json")).Json.GetProperty("handle").GetString()!;
        (await _vmo.RunAsync(["size", handle])).Refused(11, "vmo: BAD_HANDLE: ");
        var ends = (await _vmo.OkAsync("renew", replaced, "--expires", "10m", "--json")).Json.GetProperty("expires").GetString()!;
        Assert.InRange(DateTimeOffset.Parse(ends), DateTimeOffset.UtcNow.AddMinutes(8), DateTimeOffset.UtcNow.AddMinutes(11));
        Assert.Equal("never", (await _vmo.OkAsync("renew", replaced, "--expires", "never")).Line);
        var partly = await _vmo.RunAsync(["close", handle, replaced, "--json"]);
        Assert.Equal((11, 1), (partly.ExitCode, partly.ErrorJson.GetProperty("closed").GetInt32()));
        (await _vmo.RunAsync(["size", replaced])).Refused(11, "vmo: BAD_HANDLE: ");

        var brief = (await _vmo.OkAsync("create", "--size", "1")).Line;
        await _vmo.RunAsync(["renew", brief, "--expires", "0"]);
        (await _vmo.RunAsync(["size", brief])).Refused(11, "vmo: BAD_HANDLE: ");
    }

    [Fact]
    public async Task Signals_and_waits()
    {
        var (a, b) = ((await _vmo.OkAsync("create", "--size", "1")).Line, (await _vmo.OkAsync("create", "--size", "1")).Line);
        Assert.Equal("zero-children,user2", (await _vmo.OkAsync("signal", a, "--set", "user2", "--json")).Names("signals"));
        Assert.Equal("zero-children,user2", (await _vmo.OkAsync("wait", a, "--signals", "user2")).Line);
        Assert.Empty((await _vmo.OkAsync("signal", a, "--clear", "user2")).Output);
        var late = await _vmo.RunAsync(["wait", a, "--signals", "user2", "--timeout", "0", "--json"]);
        Assert.Equal((21, "zero-children", -21), (late.ExitCode, late.Names("signals"), late.ErrorJson.GetProperty("code").GetInt32()));
        (await _vmo.RunAsync(["signal", a, "--set", "zero-children"])).Refused(10, "vmo: INVALID_ARGS: ");

        await using var waiting = _vmo.Start("wait", a, b, "--signals", "user7", "--timeout", "60s", "--json");
        waiting.EndInput();
        await _vmo.OkAsync("signal", b, "--set", "user7");
        var woken = await waiting.EndAsync();
        Assert.Equal((0, "zero-children,user7", ""), (woken.ExitCode, woken.Names("signals"), woken.Error));

        await using var forEver = _vmo.Start("wait", a, "--signals", "user3");
        forEver.EndInput();
        await _vmo.OkAsync("close", a);
        // Canceled if it waited by then; had it not begun yet, the handle is unknown.
        var ended = await forEver.EndAsync();
        ended.Refused(ended.ExitCode == 23 ? 23 : 11, ended.ExitCode == 23 ? "vmo: CANCELED: " : "vmo: BAD_HANDLE: ");
    }

    [Fact]
    public async Task The_operator_lists_VMOs_and_gets_lost_handles_back()
    {
        var name = $"op-{Guid.NewGuid():n}"[..16];
        var made = (await _vmo.OkAsync("create", "--size", "4096", "--name", name, "--label", $"t={name}", "--json")).Json;
        var koid = made.GetProperty("koid").GetUInt64();
        // Found by the CLI itself, in the data folder of the node that listens there.
        var listed = (await _vmo.OkAsync("ls", "--label", $"t={name}", "--json")).Json;
        Assert.Equal((koid, name, 4096ul), (listed.GetProperty("koid").GetUInt64(), listed.GetProperty("name").GetString(), listed.GetProperty("size").GetUInt64()));
        Assert.Contains(name, (await _vmo.OkAsync("ls", "--name", name[..8] + "*")).Text, StringComparison.Ordinal);
        Assert.Empty((await _vmo.OkAsync("ls", "--name", "no-such-*")).Output);
        var again = await _vmo.OkAsync("handle", $"{koid}", "--json");
        Assert.Equal(("handle,koid,rights", AllRights), (again.Keys, again.Names("rights")));
        Assert.Equal("4096", (await _vmo.OkAsync("size", again.Json.GetProperty("handle").GetString()!)).Line);

        var wrong = Path.GetTempFileName();
        try
        {
            File.WriteAllText(wrong, "vmoop_wrong\n");
            _vmo.Environment["VMO_OPERATOR_FILE"] = wrong;
            (await _vmo.RunAsync(["ls"])).Refused(30, "vmo: ACCESS_DENIED: ");
            (await _vmo.RunAsync(["handle", $"{koid}"])).Refused(30, "vmo: ACCESS_DENIED: ");
        }
        finally
        {
            File.Delete(wrong);
        }
    }

    [Fact]
    public async Task Version_tells_both()
    {
        var versions = (await _vmo.OkAsync("--version", "--json")).Json;
        Assert.Equal(["client", "server"], versions.EnumerateObject().Select(m => m.Name));
        Assert.All(versions.EnumerateObject(), v => Assert.Equal(JsonValueKind.String, v.Value.ValueKind));
    }

    [Fact]
    public async Task Bad_input_gets_the_documented_status_and_no_stack_trace()
    {
        var handle = (await _vmo.OkAsync("create", "--size", "4096", "--fixed")).Line;
        var koid = VmoHandle.Parse(handle).Koid;
        var unknown = new VmoHandle(koid, HandleSecret.Create()).Reveal();
        var elsewhere = new VmoHandle(new(1ul << 60), HandleSecret.Create()).Reveal();
        foreach (var (exitCode, args) in new (int, string[])[]
        {
            (14, ["create", "--size", "0xffffffffffffffff"]),
            (10, ["create", "--size", "1", "--name", "two\nlines"]),
            (10, ["create", "--size", "1", "--label", $"{new string('k', 64)}=v"]),
            (10, ["create", "--size", "1", "--label", $"k={new string('v', 256)}"]),
            (14, ["create", "--size", "1", .. Enumerable.Range(0, 33).SelectMany(i => new[] { "--label", $"k{i}=v" })]),
            (28, ["size", handle, "--set", "8192"]),
            (14, ["read", handle, "--offset", "4096", "--length", "1"]),
            (14, ["read", handle, "--offset", "18446744073709551615", "--length", "2"]),
            (14, ["write", handle, "--offset", "18446744073709551615", "--in", "/proc/version"]),
            (10, ["op", handle, "decommit", "--offset", "1", "--length", "1"]),
            (14, ["op", handle, "zero", "--offset", "4095", "--length", "2"]),
            (11, ["size", unknown]),
            (11, ["size", elsewhere]),
            (11, ["size", handle[..^1] + (handle[^1] == 'a' ? 'b' : 'a')]),
            (11, ["close", unknown]),
            (14, ["wait", .. Enumerable.Repeat(handle, 17), "--signals", "user0"]),
            (64, ["name", handle, "--set"]),
        })
        {
            var refused = await _vmo.RunAsync(args, []);
            Assert.True(exitCode == refused.ExitCode, $"vmo {string.Join(' ', args)}: {refused.ExitCode} instead of {exitCode}: {refused.Error}");
            refused.Refused(exitCode, "vmo: ");
        }

        Assert.Equal("4096", (await _vmo.OkAsync("size", handle)).Line);
    }

    [Fact]
    public async Task Arguments_that_are_no_UTF_8_are_refused()
    {
        // A .NET process cannot be given such bytes, a shell can.
        using var shell = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "bash", ["-c", $"VMO_ENDPOINT={node.Silo.Endpoint} '{Vmo.Program}' create --size 1 --name $'a\\xffb'; echo $?"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        await shell.WaitForExitAsync();
        Assert.Equal("10\n", await output);
        Assert.StartsWith("vmo: INVALID_ARGS: ", await error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_without_a_node_is_69()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        taken.Stop();
        (await new Vmo(new($"http://127.0.0.1:{port}")).RunAsync(["create", "--size", "1"])).Refused(69, $"vmo: no connection: http://127.0.0.1:{port}: ");
        // Something listens, but it is no gRPC door.
        (await new Vmo(node.Silo.Http).RunAsync(["create", "--size", "1"])).Refused(69, "vmo: no connection: ");
        // One of several is enough.
        await _vmo.OkAsync("create", "--size", "1", "--endpoint", $"http://127.0.0.1:{port},{node.Silo.Endpoint}");
    }
}
