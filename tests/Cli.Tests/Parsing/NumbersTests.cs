using VmoCluster.Cli.Parsing;
using Xunit;

namespace VmoCluster.Cli.Tests.Parsing;

public sealed class NumbersTests
{
    [Theory]
    [InlineData("0", 0ul)]
    [InlineData("007", 7ul)]
    [InlineData("4096", 4096ul)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    [InlineData("0x0", 0ul)]
    [InlineData("0xfF", 255ul)]
    [InlineData("0XFFFFFFFFFFFFFFFF", ulong.MaxValue)]
    [InlineData("4KiB", 4096ul)]
    [InlineData("0x10MiB", 16ul << 20)]
    [InlineData("2GiB", 2ul << 30)]
    [InlineData("16777215TiB", 16777215ul << 40)]
    [InlineData("0TiB", 0ul)]
    public void What_people_type_is_a_number(string text, ulong number)
    {
        Assert.True(Numbers.TryParse(text, out var parsed));
        Assert.Equal(number, parsed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5")]
    [InlineData("1.5GiB")]
    [InlineData("1e3")]
    [InlineData("1,000")]
    [InlineData("1_000")]
    [InlineData(" 1")]
    [InlineData("1 KiB")]
    [InlineData("18446744073709551616")]
    [InlineData("0x10000000000000000")]
    [InlineData("16777216TiB")]
    [InlineData("18446744073709551615KiB")]
    [InlineData("0x")]
    [InlineData("KiB")]
    [InlineData("iB")]
    [InlineData("4kB")]
    [InlineData("4PiB")]
    [InlineData("4K")]
    [InlineData("ten")]
    public void Negative_fractional_and_larger_numbers_are_none(string text) => Assert.False(Numbers.TryParse(text, out _));

    [Fact]
    public void A_range_is_two_numbers()
    {
        Assert.True(Numbers.TryParseRange("1MiB,0x1000", out var range));
        Assert.Equal(new ByteRange(1 << 20, 4096), range);
        foreach (var text in new[] { "1", "1,", ",1", "1,2,3", "1;2", "-1,2" })
            Assert.False(Numbers.TryParseRange(text, out _), text);
    }
}
