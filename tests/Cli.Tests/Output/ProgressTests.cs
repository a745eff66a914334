using VmoCluster.Cli.Output;
using Xunit;

namespace VmoCluster.Cli.Tests.Output;

public sealed class ProgressTests
{
    [Theory]
    [InlineData(0ul, "0 B")]
    [InlineData(999ul, "999 B")]
    [InlineData(4096ul, "4 KiB")]
    [InlineData(1536ul << 20, "1.5 GiB")]
    [InlineData(300ul << 20, "300 MiB")]
    [InlineData(ulong.MaxValue, "16 EiB")]
    public void Bytes_are_told_in_binary_units(ulong bytes, string text) => Assert.Equal(text, Progress.Bytes(bytes));

    [Fact]
    public void The_line_tells_share_speed_and_stored_bytes()
    {
        var line = Progress.Line("import", 1ul << 30, 2ul << 30, 100 << 20, TimeSpan.FromSeconds(2), inColour: false, columns: 100);
        Assert.Equal("import [############............]  50 % of 2 GiB, 50 MiB/s, 100 MiB stored", line);
    }

    [Fact]
    public void A_narrow_terminal_gets_no_bar_and_an_unknown_total_no_share()
    {
        Assert.Equal(
            "export  25 % of 4 KiB, 1 KiB/s, 1 KiB stored", Progress.Line("export", 1024, 4096, 1024, TimeSpan.FromSeconds(1), inColour: true, columns: 50));
        Assert.Equal("import 5 MiB 5 MiB/s, 5 MiB stored", Progress.Line("import", 5 << 20, 0, 5 << 20, TimeSpan.FromSeconds(1), inColour: false, columns: 100));
    }
}
