using Xunit;

namespace VmoCluster.Cluster.Tests.Docs;

/// <summary>What a newcomer types, typed here.</summary>
public sealed class ReadmeRunTests(ReadmeTerminals terminals) : IClassFixture<ReadmeTerminals>
{
    [Fact]
    public async Task The_first_steps_do_what_the_README_says()
    {
        var shell = Readme.Block("first steps");
        var output = await terminals.InSecondTerminalAsync(shell);
        var promised = Readme.PromisedBy(shell);
        Assert.NotEmpty(promised);
        Assert.Equal(promised, output.Trim().Split('\n'));
    }

    [Fact]
    public async Task An_image_goes_in_and_out_as_the_README_says()
    {
        var output = await terminals.InSecondTerminalAsync(Readme.Block("image"));
        Assert.Equal("same", output.Trim().Split('\n')[^1]);
    }

    [Fact]
    public async Task Forks_are_made_and_looked_at_as_the_README_says()
    {
        var output = await terminals.InSecondTerminalAsync(Readme.Block("forks") + "wc -l < forks.txt\n");
        var lines = output.Trim().Split('\n');
        Assert.Equal(["version 1", "version 2"], lines[..2]);
        Assert.Equal("1000", lines[^1].Trim());
        Assert.Contains(lines, line => line.Contains("sandbox-0", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_fork_is_a_disk_as_the_README_says()
    {
        var output = await terminals.InSecondTerminalAsync(Readme.Block("disk"));
        Assert.Equal(["268435456", "Images are identical."], output.Trim().Split('\n')[^2..]);
    }

    [Fact]
    public async Task Ctrl_C_ends_the_node_and_the_same_command_goes_on_with_the_same_data()
    {
        var handle = (await terminals.InSecondTerminalAsync("H=$(vmo create --size 4096); echo kept | vmo write $H --offset 0; echo $H")).Trim();
        Assert.Equal(0, await terminals.InterruptAsync());
        await terminals.StartNodeAsync();
        Assert.Equal("kept", (await terminals.InSecondTerminalAsync($"vmo read {handle} --offset 0 --length 5")).Trim());
    }
}
