using VmoCluster.Cli.Files;
using Xunit;

namespace VmoCluster.Cli.Tests.Files;

public sealed class ZeroPagesTests
{
    private const int P = Limits.PageBytes;

    [Fact]
    public void Zeros_are_no_stretch() => Assert.Equal("", Stretches(new byte[10 * P + 7]));

    [Fact]
    public void A_stretch_begins_and_ends_with_a_page_not_all_zero()
    {
        var bytes = new byte[40 * P];
        bytes[3 * P + 5] = 1;
        bytes[5 * P] = 1;
        Assert.Equal("3-6", Stretches(bytes));
    }

    [Fact]
    public void A_gap_of_64_KiB_is_left_out_and_a_shorter_one_is_not()
    {
        var bytes = new byte[60 * P];
        bytes[0] = bytes[16 * P] = bytes[33 * P - 1] = bytes[49 * P] = 1;
        // Pages 1-15 are a gap of 15, pages 17-31 of 15, pages 33-48 of 16.
        Assert.Equal("0-33 49-50", Stretches(bytes));
    }

    [Fact]
    public void A_short_last_page_counts()
    {
        var bytes = new byte[(2 * P) + 100];
        bytes[^1] = 1;
        Assert.True(ZeroPages.TryNextStretch(bytes, 0, out var stretch));
        Assert.Equal((2 * P)..bytes.Length, stretch);
        Assert.False(ZeroPages.TryNextStretch(bytes, stretch.End.Value, out _));
    }

    private static string Stretches(byte[] bytes)
    {
        var found = new List<string>();
        for (var at = 0; ZeroPages.TryNextStretch(bytes, at, out var stretch); at = stretch.End.Value)
            found.Add($"{stretch.Start.Value / P}-{(stretch.End.Value + P - 1) / P}");
        return string.Join(' ', found);
    }
}
