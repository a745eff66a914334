using VmoCluster.Cli.Parsing;
using Xunit;

namespace VmoCluster.Cli.Tests.Parsing;

public sealed class BitNamesTests
{
    [Fact]
    public void Rights_are_the_ten_of_the_page_in_kebab_case()
    {
        const string page = "duplicate transfer read write map get-property set-property signal wait inspect";
        Assert.Equal(page.Split(' '), BitNames.Rights.All);
        foreach (var name in BitNames.Rights.All)
        {
            Assert.True(BitNames.Rights.TryParse(name, out var bit, out _));
            Assert.Equal(name.Replace("-", "", StringComparison.Ordinal), ((VmoRights)bit).ToString(), ignoreCase: true);
        }
    }

    [Fact]
    public void Signals_are_named_as_the_enum_names_them()
    {
        foreach (var name in BitNames.Signals.All)
        {
            Assert.True(BitNames.Signals.TryParse(name, out var bit, out _));
            Assert.Equal(name.Replace("-", "", StringComparison.Ordinal), ((VmoSignals)bit).ToString(), ignoreCase: true);
        }
    }

    [Fact]
    public void A_list_printed_is_read_again()
    {
        var rights = VmoRights.Read | VmoRights.GetProperty | VmoRights.Inspect;
        Assert.Equal("read,get-property,inspect", BitNames.Rights.Join((uint)rights));
        Assert.True(BitNames.Rights.TryParse("inspect,read,get-property,read", out var bits, out _));
        Assert.Equal((uint)rights, bits);
        Assert.Equal("none", BitNames.Rights.Join(0));
        Assert.True(BitNames.Rights.TryParse("none", out bits, out _));
        Assert.Equal(0u, bits);
    }

    [Theory]
    [InlineData("execute")]
    [InlineData("READ")]
    [InlineData("read,")]
    [InlineData("")]
    [InlineData("read write")]
    [InlineData("read,none")]
    public void An_unknown_name_is_told_with_those_there_are(string text)
    {
        Assert.False(BitNames.Rights.TryParse(text, out _, out var problem));
        Assert.Contains("get-property", problem, StringComparison.Ordinal);
    }
}
