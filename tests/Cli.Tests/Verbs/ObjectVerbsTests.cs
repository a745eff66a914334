using Xunit;

namespace VmoCluster.Cli.Tests.Verbs;

/// <summary>create, size, content-size, name, info: the page's rows, in text and with --json.</summary>
public sealed class ObjectVerbsTests : IDisposable
{
    private const string AllRights = "duplicate,transfer,read,write,map,get-property,set-property,signal,wait,inspect";
    private readonly Shell _shell = new();

    [Fact]
    public async Task Create_prints_the_handle_alone()
    {
        var handle = (await _shell.OkAsync("create", "--size", "5000")).Line;
        Assert.True(VmoHandle.TryParse(handle, out _));
    }

    [Fact]
    public async Task Create_with_json_tells_handle_koid_size_and_rights()
    {
        var done = await _shell.OkAsync("create", "--size", "5000", "--name", "n", "--label", "a=1", "--label", "b=x=y", "--json");
        Assert.Equal("handle,koid,size,rights", done.Keys);
        Assert.True(VmoHandle.TryParse(done.Json.GetProperty("handle").GetString(), out var handle));
        Assert.Equal(handle.Koid.Value, done.Json.GetProperty("koid").GetUInt64());
        Assert.Equal(8192ul, done.Json.GetProperty("size").GetUInt64());
        Assert.Equal(AllRights, done.Names("rights"));
        var labels = (await _shell.OkAsync("info", handle.Reveal(), "--json")).Json.GetProperty("labels");
        Assert.Equal("{\"a\":\"1\",\"b\":\"x=y\"}", labels.GetRawText());
    }

    [Fact]
    public async Task The_largest_size_stays_an_integer()
    {
        var done = await _shell.OkAsync("create", "--size", "18446744073709547520", "--json");
        Assert.Contains("\"size\":18446744073709547520", done.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("18446744073709547521")]
    [InlineData("0xffffffffffffffff")]
    public async Task A_size_beyond_it_parses_and_is_out_of_range(string size)
    {
        (await _shell.RunAsync(["create", "--size", size])).Refused(14, "vmo: OUT_OF_RANGE: size 18446744073709");
        var error = (await _shell.RunAsync(["--json", "create", "--size", size])).ErrorJson;
        Assert.Equal("OutOfRange", error.GetProperty("status").GetString());
        Assert.Equal(-14, error.GetProperty("code").GetInt32());
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("18446744073709551616")]
    [InlineData("big")]
    [InlineData("")]
    public async Task A_size_that_is_no_number_is_a_usage_error(string size) =>
        (await _shell.RunAsync(["create", "--size", size])).Refused(64, $"vmo: usage: --size: '{size}' is not a whole number");

    [Fact]
    public async Task Size_prints_the_number_and_sets_it_rounded_up()
    {
        var handle = await _shell.CreateAsync("1");
        Assert.Equal("4096", (await _shell.OkAsync("size", handle)).Line);
        Assert.Equal("{\"size\":4096}", (await _shell.OkAsync("size", handle, "--json")).Line);
        Assert.Equal("12288", (await _shell.OkAsync("size", handle, "--set", "8193")).Line);
        Assert.Equal("{\"size\":12288}", (await _shell.OkAsync("size", handle, "--json")).Line);
        Assert.Equal("{\"size\":0}", (await _shell.OkAsync("size", handle, "--set", "0", "--json")).Line);
    }

    [Fact]
    public async Task A_fixed_size_is_unavailable_to_change()
    {
        var handle = await _shell.CreateAsync("4096", "--fixed");
        (await _shell.RunAsync(["size", handle, "--set", "4096"])).Refused(28, "vmo: UNAVAILABLE: ");
    }

    [Fact]
    public async Task Content_size_prints_and_sets()
    {
        var handle = await _shell.CreateAsync("8192");
        Assert.Equal("8192", (await _shell.OkAsync("content-size", handle)).Line);
        Assert.Equal("{\"contentSize\":1000}", (await _shell.OkAsync("content-size", handle, "--set", "1000", "--json")).Line);
        Assert.Equal("1000", (await _shell.OkAsync("content-size", handle)).Line);
    }

    [Fact]
    public async Task Name_prints_and_sets_what_the_cluster_keeps_of_it()
    {
        var handle = await _shell.CreateAsync("4096", "--name", "first");
        Assert.Equal("first", (await _shell.OkAsync("name", handle)).Line);
        Assert.Equal("{\"name\":\"zwei ü\"}", (await _shell.OkAsync("name", handle, "--set", "zwei ü", "--json")).Line);
        Assert.Equal("zwei ü", (await _shell.OkAsync("name", handle)).Line);
        // 15 two-byte characters are 30 bytes; a 16th would be cut in the middle.
        Assert.Equal(new string('ü', 15), (await _shell.OkAsync("name", handle, "--set", new string('ü', 20))).Line);
    }

    [Fact]
    public async Task Info_tells_all_the_page_names()
    {
        var handle = await _shell.CreateAsync("8192", "--name", "n", "--label", "k=v");
        var done = await _shell.OkAsync("info", handle, "--json");
        Assert.Equal(
            "koid,type,rights,handleCount,name,size,contentSize,resizable,kind,parentKoid,offset,numChildren,numMappings,committedBytes,chargedBytes," +
            "wouldFree,version,signals,expires,range,labels",
            done.Keys);
        Assert.Equal("vmo", done.Json.GetProperty("type").GetString());
        Assert.Equal("root", done.Json.GetProperty("kind").GetString());
        Assert.Equal("zero-children", done.Names("signals"));
        Assert.Equal(System.Text.Json.JsonValueKind.Null, done.Json.GetProperty("expires").ValueKind);
        Assert.Equal(System.Text.Json.JsonValueKind.Null, done.Json.GetProperty("range").ValueKind);

        var text = (await _shell.OkAsync("info", handle)).Text;
        foreach (var line in new[] { "name           n", "size           8192", "resizable      yes", "signals        zero-children", "labels         k=v" })
            Assert.Contains(line + "\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_needs_a_right_the_handle_lacks_is_absent()
    {
        var weak = (await _shell.OkAsync("duplicate", await _shell.CreateAsync(), "--rights", "read", "--expires", "1h", "--range", "4096,8KiB")).Line;
        var info = (await _shell.OkAsync("info", weak, "--json")).Json;
        foreach (var absent in new[] { "handleCount", "name", "contentSize", "labels" })
            Assert.False(info.TryGetProperty(absent, out _), absent);
        Assert.Equal("{\"offset\":4096,\"length\":8192}", info.GetProperty("range").GetRawText());
        Assert.True(DateTimeOffset.Parse(info.GetProperty("expires").GetString()!) > DateTimeOffset.UtcNow.AddMinutes(59));
    }

    [Fact]
    public async Task A_name_that_would_move_the_cursor_stays_on_its_line_in_text()
    {
        var handle = await _shell.CreateAsync("4096", "--name", "a\e[2Jb");
        Assert.Contains("name           a?[2Jb\n", (await _shell.OkAsync("info", handle)).Text, StringComparison.Ordinal);
    }

    public void Dispose() => _shell.Dispose();
}
