using System.Text.Json;
using Xunit;

namespace VmoCluster.Cli.Tests.Verbs;

/// <summary>clone, tree, explain, scrub: the page's rows, in text and with --json.</summary>
public sealed class FamilyVerbsTests : IDisposable
{
    private const string AllRights = "duplicate,transfer,read,write,map,get-property,set-property,signal,wait,inspect";
    private readonly Shell _shell = new();

    [Fact]
    public async Task Clone_prints_the_handle_alone_and_makes_a_live_one_of_the_whole()
    {
        var handle = await _shell.CreateAsync();
        var clone = (await _shell.OkAsync("clone", handle)).Line;
        Assert.Equal("65536", (await _shell.OkAsync("size", clone)).Line);
        Assert.Equal("live", (await _shell.OkAsync("info", clone, "--json")).Json.GetProperty("kind").GetString());
        _shell.Environment["VMO_HANDLE"] = handle;
        Assert.True(VmoHandle.TryParse((await _shell.OkAsync("clone")).Line, out _));
    }

    [Fact]
    public async Task Clone_with_json_tells_arrays_of_handles_and_koids_also_for_one()
    {
        var handle = await _shell.CreateAsync();
        var done = await _shell.OkAsync("clone", handle, "--kind", "snapshot", "--size", "5000", "--json");
        Assert.Equal("handles,koids,kind,size,rights", done.Keys);
        var made = VmoHandle.Parse(done.Json.GetProperty("handles").EnumerateArray().Single().GetString());
        Assert.Equal(made.Koid.Value, done.Json.GetProperty("koids").EnumerateArray().Single().GetUInt64());
        Assert.Equal(("snapshot", 8192ul, AllRights), (done.Json.GetProperty("kind").GetString(), done.Json.GetProperty("size").GetUInt64(), done.Names("rights")));
        var weak = await _shell.OkAsync("clone", handle, "--no-write", "--json");
        Assert.DoesNotContain("write", weak.Names("rights"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("live", "0", 65536ul)]
    [InlineData("snapshot", "0x1000", 61440ul)]
    [InlineData("slice", "64KiB", 0ul)]
    [InlineData("live", "1TiB", 0ul)]
    [InlineData("reference", "0", 65536ul)]
    public async Task Without_a_size_a_clone_reaches_to_its_parents_end(string kind, string offset, ulong size)
    {
        var handle = await _shell.CreateAsync();
        var done = await _shell.OkAsync("clone", handle, "--kind", kind, "--offset", offset, "--json");
        Assert.Equal(size, done.Json.GetProperty("size").GetUInt64());
        Assert.Equal(kind, done.Json.GetProperty("kind").GetString());
        Assert.Equal(kind == "reference" ? 0 : size, _shell.Cluster.LastClone!.Specs[0].Size);
    }

    [Fact]
    public async Task Many_clones_have_numbered_names_and_a_line_each()
    {
        var handle = await _shell.CreateAsync();
        var lines = (await _shell.OkAsync("clone", handle, "--count", "12", "--name", "w")).Text.TrimEnd('\n').Split('\n');
        Assert.Equal(12, lines.Distinct().Count());
        Assert.Equal("w-0", (await _shell.OkAsync("name", lines[0])).Line);
        Assert.Equal("w-11", (await _shell.OkAsync("name", lines[11])).Line);
        var many = await _shell.OkAsync("clone", handle, "--count", "10000", "--json");
        Assert.Equal((10_000, 10_000), (many.Json.GetProperty("handles").GetArrayLength(), many.Json.GetProperty("koids").GetArrayLength()));
        Assert.Equal("one", (await _shell.OkAsync("name", (await _shell.OkAsync("clone", handle, "--count", "1", "--name", "one")).Line)).Line);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("10001")]
    [InlineData("18446744073709551615")]
    public async Task A_count_beyond_the_limits_is_out_of_range(string count)
    {
        var handle = await _shell.CreateAsync();
        (await _shell.RunAsync(["clone", handle, "--count", count])).Refused(14, $"vmo: OUT_OF_RANGE: {count} clones, it must be 1 to 10000");
        Assert.Equal(-14, (await _shell.RunAsync(["clone", handle, "--count", count, "--json"])).ErrorJson.GetProperty("code").GetInt32());
        (await _shell.RunAsync(["clone", handle, "--count", "-1"])).Refused(64, "vmo: usage: --count: '-1' is not a whole number");
        Assert.Single(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task What_a_clone_must_not_show_reads_zero()
    {
        var handle = await _shell.CreateAsync("12KiB");
        await _shell.RunAsync(["write", handle, "--offset", "0"], [.. Enumerable.Repeat((byte)7, 12288)]);
        var clone = (await _shell.OkAsync("clone", handle, "--zero", "1,2", "--zero", "4KiB,0x1000")).Line;
        var bytes = (await _shell.OkAsync("read", clone, "--offset", "0", "--length", "12288")).Output;
        Assert.Equal([7, 0, 0, 7], bytes[..4]);
        Assert.All(bytes[4096..8192], one => Assert.Equal(0, one));
        Assert.Equal(7, bytes[8192]);
        (await _shell.RunAsync(["clone", handle, "--zero", "1"])).Refused(64, "vmo: usage: --zero: '1' is not OFF,LEN");
    }

    [Fact]
    public async Task Raw_options_are_the_seeds_call_and_stand_alone()
    {
        var handle = await _shell.CreateAsync();
        var done = await _shell.OkAsync("clone", handle, "--options", "3", "--offset", "4096", "--json");
        Assert.Equal(("live", 61440ul), (done.Json.GetProperty("kind").GetString(), done.Json.GetProperty("size").GetUInt64()));
        var clone = done.Json.GetProperty("handles")[0].GetString()!;
        (await _shell.RunAsync(["size", clone, "--set", "1"])).Refused(28, "vmo: UNAVAILABLE: ");
        await _shell.OkAsync("clone", handle, "--fixed");
        Assert.Equal((null, true), (_shell.Cluster.LastClone!.Specs[0].SeedOptions, _shell.Cluster.LastClone.Specs[0].NonResizable));
        (await _shell.RunAsync(["clone", handle, "--options", "0"])).Refused(10, "vmo: INVALID_ARGS: ");
        (await _shell.RunAsync(["clone", handle, "--options", "0x100000001"])).Refused(10, "vmo: INVALID_ARGS: option bits 0x100000001");
        foreach (string[] more in (string[][])[["--kind", "slice"], ["--fixed"], ["--no-write"]])
            (await _shell.RunAsync(["clone", handle, "--options", "1", .. more])).Refused(64, "vmo: usage: --options says by itself what is made");
    }

    [Fact]
    public async Task What_a_clone_may_not_be_is_the_clusters_refusal_or_a_usage_error()
    {
        var handle = await _shell.CreateAsync();
        var weak = (await _shell.OkAsync("duplicate", handle, "--rights", "read")).Line;
        (await _shell.RunAsync(["clone", weak])).Refused(30, "vmo: ACCESS_DENIED: ");
        (await _shell.RunAsync(["clone", handle, "--offset", "1"])).Refused(10, "vmo: INVALID_ARGS: ");
        (await _shell.RunAsync(["clone", handle, "--kind", "slice", "--size", "1TiB"])).Refused(10, "vmo: INVALID_ARGS: ");
        foreach (var bad in new[] { "root", "Live", "copy", "" })
            (await _shell.RunAsync(["clone", handle, "--kind", bad])).Refused(64, $"vmo: usage: --kind: '{bad}' is not one of live, snapshot, slice, reference");
        (await _shell.RunAsync(["clone", "nonsense", "--count", "0"])).Refused(11, "vmo: BAD_HANDLE: ");
    }

    [Fact]
    public async Task Tree_draws_parents_before_children_and_counts_what_it_may_not_show()
    {
        var root = await _shell.CreateAsync("8192", "--name", "root");
        await _shell.OkAsync("clone", root, "--name", "sibling");
        var middle = (await _shell.OkAsync("clone", root, "--kind", "snapshot", "--name", "mid\e[2J")).Line;
        var leaf = (await _shell.OkAsync("clone", middle, "--count", "2", "--name", "leaf")).Text.Split('\n')[0];
        await _shell.OkAsync("clone", leaf, "--name", "last");
        await _shell.OkAsync("close", leaf);
        var koid = VmoHandle.Parse(root).Koid.Value;
        Assert.Equal(
            $"{koid}       root                  8192         0              0 -  +1\n" +
            $"  {koid + 2}     snapshot              8192         0              0 mid?[2J\n" +
            $"    {koid + 3}   live                  8192         0              0 leaf-0  ghost\n" +
            $"      {koid + 5} live                  8192         0              0 last\n" +
            $"    {koid + 4}   live                  8192         0              0 leaf-1\n",
            (await _shell.OkAsync("tree", middle)).Text);
        using var terminal = new Shell { IsTerminal = true };
        var handle = (await terminal.RunAsync(["create", "--size", "1"])).Line;
        Assert.Contains("KOID KIND                  SIZE OWN PAGES        CHARGED NAME\n", (await terminal.RunAsync(["tree", handle])).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tree_with_json_is_an_object_a_line()
    {
        var root = await _shell.CreateAsync("8192", "--name", "root");
        var child = await _shell.OkAsync("clone", root, "--kind", "slice", "--offset", "4096", "--json");
        var koid = VmoHandle.Parse(root).Koid.Value;
        var lines = (await _shell.OkAsync("tree", child.Json.GetProperty("handles")[0].GetString()!, "--json")).Text.TrimEnd('\n').Split('\n');
        Assert.Equal(
            $"{{\"koid\":{koid},\"parentKoid\":0,\"kind\":\"root\",\"offset\":0,\"size\":8192,\"ownPages\":0,\"committedBytes\":0,\"chargedBytes\":0,\"name\":null,\"ghost\":false,\"numChildren\":1}}",
            lines[0]);
        Assert.Equal(
            $"{{\"koid\":{koid + 1},\"parentKoid\":{koid},\"kind\":\"slice\",\"offset\":4096,\"size\":4096,\"ownPages\":0,\"committedBytes\":0,\"chargedBytes\":0,\"name\":\"root\",\"ghost\":false,\"numChildren\":0}}",
            lines[1]);
        Assert.Equal(2, lines.Length);
        var blind = (await _shell.OkAsync("duplicate", root, "--rights", "read")).Line;
        (await _shell.RunAsync(["tree", blind, "--json"])).Refused(30, "{\"status\":\"AccessDenied\"");
    }

    [Fact]
    public async Task A_deep_chain_is_drawn_to_its_end()
    {
        var handle = await _shell.CreateAsync("4096", "--name", "c");
        var root = handle;
        for (var i = 0; i < 40; i++)
            handle = (await _shell.OkAsync("clone", handle)).Line;
        var lines = (await _shell.OkAsync("tree", root)).Text.TrimEnd('\n').Split('\n');
        Assert.Equal(41, lines.Length);
        Assert.All(lines, line => Assert.InRange(line.Length, 1, 140));
        Assert.Contains($"(16 deeper) {VmoHandle.Parse(handle).Koid} ", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_family_is_drawn_for_the_operator()
    {
        var root = await _shell.CreateAsync("8192", "--name", "a");
        await _shell.CreateAsync("4096", "--name", "b");
        await _shell.OkAsync("clone", root, "--name", "a-child");
        (await _shell.RunAsync(["tree", "--all"])).Refused(30, "vmo: ACCESS_DENIED: the operator's credential is needed");
        (await _shell.RunAsync(["tree", root, "--all"])).Refused(64, "vmo: usage: --all is every family");
        BeOperator();
        var names = (await _shell.OkAsync("tree", "--all", "--json")).Text.TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement.GetProperty("name").GetString());
        Assert.Equal(["a", "a-child", "b"], names);
        Assert.Contains(" live  ", (await _shell.OkAsync("tree", "--all")).Text.Split('\n')[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_tells_each_level_and_last_the_blob_and_who_pays()
    {
        var handle = await _shell.CreateAsync();
        var koid = VmoHandle.Parse(handle).Koid;
        await _shell.RunAsync(["write", handle, "--offset", "8192"], [1]);
        var lines = (await _shell.OkAsync("explain", handle, "2", "--json")).Text.TrimEnd('\n').Split('\n');
        Assert.Equal(
            [
                $"{{\"koid\":{koid},\"kind\":\"root\",\"offset\":8192,\"layer\":\"{koid}.1\",\"answer\":\"own\"}}",
                $"{{\"blob\":\"{koid}.1.b7[0]\",\"charged\":[{{\"koid\":{koid},\"bytes\":4096}}]}}",
            ],
            lines);
        Assert.EndsWith($" own\nblob {koid}.1.b7[0]  charged: {koid} 4096\n", (await _shell.OkAsync("explain", handle, "0x2")).Text, StringComparison.Ordinal);
        Assert.EndsWith("{\"blob\":null,\"charged\":[]}\n", (await _shell.OkAsync("explain", handle, "3", "--json")).Text, StringComparison.Ordinal);
        Assert.EndsWith(" absent\nblob none  charged: nobody\n", (await _shell.OkAsync("explain", handle, "3")).Text, StringComparison.Ordinal);
        (await _shell.RunAsync(["explain", handle, "16"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        (await _shell.RunAsync(["explain", handle, "18446744073709551615"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        (await _shell.RunAsync(["explain", handle, "-1"])).Refused(64, "vmo: usage: '-1' is not ");
        (await _shell.RunAsync(["explain", handle, "first"])).Refused(64, "vmo: usage: 'first' is not a page");
        (await _shell.RunAsync(["explain"])).Refused(64, "vmo: usage: the page is missing: vmo explain [H] PAGE");
        _shell.Environment["VMO_HANDLE"] = handle;
        await _shell.OkAsync("explain", "0");
    }

    [Fact]
    public async Task A_clean_scrub_ends_with_0_and_one_that_finds_damage_with_42()
    {
        var handle = await _shell.CreateAsync();
        (await _shell.RunAsync(["scrub", "--all"])).Refused(30, "vmo: ACCESS_DENIED: the operator's credential is needed");
        BeOperator();
        Assert.Equal("{\"checked\":5,\"findings\":0,\"repaired\":0,\"quarantined\":0}", (await _shell.OkAsync("scrub", "--all", "--json")).Line);
        Assert.Equal((Koid.None, true), (_shell.Cluster.LastScrub!.Family, _shell.Cluster.LastScrub.Bytes));
        Assert.Equal("checked 5, findings 0, repaired 0, quarantined 0", (await _shell.OkAsync("scrub", handle, "--quick")).Line);
        Assert.Equal((VmoHandle.Parse(handle).Koid, false), (_shell.Cluster.LastScrub.Family, _shell.Cluster.LastScrub.Bytes));

        _shell.Cluster.Damage.Add(new(new(5), "missing-blob", "page 3\e[2J"));
        _shell.Cluster.Damage.Add(new(new(9), "count", "2 children, 3 counted"));
        var done = await _shell.RunAsync(["scrub"]);
        Assert.Equal((42, "", "       5 missing-blob   page 3?[2J\n       9 count          2 children, 3 counted\nchecked 10, findings 2, repaired 0, quarantined 0\n"), (done.ExitCode, done.Error, done.Text));
        done = await _shell.RunAsync(["scrub", "--json"]);
        Assert.Equal(42, done.ExitCode);
        Assert.Equal("{\"koid\":9,\"what\":\"count\",\"detail\":\"2 children, 3 counted\"}", done.Text.Split('\n')[1]);
        _shell.Environment["VMO_HANDLE"] = handle;
        await _shell.RunAsync(["scrub"]);
        Assert.Equal(VmoHandle.Parse(handle).Koid, _shell.Cluster.LastScrub.Family);
        await _shell.RunAsync(["scrub", "--all"]);
        Assert.Equal(Koid.None, _shell.Cluster.LastScrub.Family);
        (await _shell.RunAsync(["scrub", handle, "--all"])).Refused(64, "vmo: usage: --all is the whole store");
        (await _shell.RunAsync(["scrub", "--repair"])).Refused(64, "vmo: usage: '--repair' is not an option of vmo scrub");
    }

    [Fact]
    public async Task A_scrub_that_breaks_off_is_not_a_clean_one()
    {
        BeOperator();
        _shell.Cluster.Damage.Add(new(new(5), "count", ""));
        _shell.Cluster.Damage.Add(new(new(9), "count", ""));
        var portions = 0;
        _shell.Cluster.Before = call => call == "scrub" && ++portions == 2 ? new(VmoStatus.DataLoss, "the store lost it") : Outcome.Ok;
        var done = await _shell.RunAsync(["scrub", "--all"]);
        Assert.Equal((43, "       5 count\n"), (done.ExitCode, done.Text));
        Assert.StartsWith("vmo: DATA_LOSS: the store lost it", done.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _shell.Dispose();

    private void BeOperator()
    {
        _shell.Cluster.IsOperator = true;
        _shell.Environment["VMO_OPERATOR_FILE"] = _shell.PathOf("operator");
        File.WriteAllText(_shell.PathOf("operator"), "vmoop_abc\n");
    }
}
