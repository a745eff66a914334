using VmoCluster.Cli.Parsing;
using Xunit;

namespace VmoCluster.Cli.Tests.Parsing;

public sealed class DurationsTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("500ms", 500)]
    [InlineData("2s", 2_000)]
    [InlineData("5m", 300_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("30", 30_000)]
    public void A_bare_number_is_seconds_and_units_are_named(string text, long milliseconds)
    {
        Assert.True(Durations.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("ms")]
    [InlineData("-1s")]
    [InlineData("1.5s")]
    [InlineData("1d")]
    [InlineData("1 s")]
    [InlineData("soon")]
    [InlineData("999999999999999999h")]
    [InlineData("9223372036854775808")]
    public void What_is_no_time_is_refused(string text) => Assert.False(Durations.TryParse(text, out _));
}
