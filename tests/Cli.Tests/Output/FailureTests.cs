using System.Text.Json;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using Xunit;

namespace VmoCluster.Cli.Tests.Output;

public sealed class FailureTests
{
    public static TheoryData<VmoStatus> Statuses => [.. Enum.GetValues<VmoStatus>().Where(s => s != VmoStatus.Ok)];

    [Theory, MemberData(nameof(Statuses))]
    public void Every_status_has_its_number_as_exit_code_and_its_names_in_both_forms(VmoStatus status)
    {
        var failure = Failure.Of(new VmoException(status, "4096 is more than 0", TimeSpan.FromMilliseconds(20)));
        Assert.Equal(-(int)status, failure.ExitCode);
        Assert.InRange(failure.ExitCode, 1, 63);
        Assert.StartsWith($"vmo: {status.ToZxName()}: 4096 is more than 0", failure.Print(false, false, false), StringComparison.Ordinal);

        var json = JsonDocument.Parse(failure.Print(true, false, false)).RootElement;
        Assert.Equal("status,code,message,retryable,retryAfterMs", string.Join(',', json.EnumerateObject().Select(m => m.Name)));
        Assert.Equal(status.ToString(), json.GetProperty("status").GetString());
        Assert.Equal((int)status, json.GetProperty("code").GetInt32());
        Assert.Equal("4096 is more than 0", json.GetProperty("message").GetString());
        Assert.Equal(status is VmoStatus.Io or VmoStatus.ShouldWait, json.GetProperty("retryable").GetBoolean());
        Assert.Equal(20, json.GetProperty("retryAfterMs").GetInt32());
    }

    [Fact]
    public void Usage_connection_and_interruption_have_numbers_of_their_own()
    {
        Assert.Equal(64, Failure.Of(new UsageException("")).ExitCode);
        Assert.Equal(69, Failure.Of(new NoConnectionException("")).ExitCode);
        Assert.Equal(130, Failure.Of(new OperationCanceledException()).ExitCode);
        Assert.Equal(130, Failure.Of(new PartlyDoneException("written", 0, new TaskCanceledException())).ExitCode);
    }

    [Fact]
    public void A_bug_of_ours_is_one_sentence_without_a_stack()
    {
        Exception thrown;
        try
        {
            throw new InvalidOperationException("a belief was broken");
        }
        catch (InvalidOperationException exception)
        {
            thrown = exception;
        }

        var failure = Failure.Of(thrown);
        Assert.Equal(1, failure.ExitCode);
        Assert.Equal("vmo: INTERNAL: a bug of this program: InvalidOperationException: a belief was broken\n", failure.Print(false, false, false));
    }

    [Fact]
    public void A_message_is_one_line_and_holds_no_secret_whatever_it_was_made_of()
    {
        var secret = new VmoHandle(new(7), HandleSecret.Create()).Reveal();
        var failure = Failure.Of(new VmoException(VmoStatus.NotFound, $"/tmp/{secret}:\nno vmoop_0123456789abcdefgh\e[31m"));
        foreach (var text in new[] { failure.Print(false, true, true), failure.Print(true, false, false) })
        {
            Assert.DoesNotContain(secret[10..], text, StringComparison.Ordinal);
            Assert.DoesNotContain("0123456789", text, StringComparison.Ordinal);
            Assert.Equal(1, text.Count(c => c == '\n'));
        }

        Assert.DoesNotContain("\e[31m", failure.Print(false, false, false), StringComparison.Ordinal);
    }

    [Fact]
    public void A_reader_that_went_away_gets_no_sentence() =>
        Assert.Equal(("", 141), (Failure.Of(new IOException("", 32)).Print(false, false, false), Failure.Of(new IOException("", 32)).ExitCode));

    [Fact]
    public void Colour_is_only_where_it_was_asked_for()
    {
        var failure = Failure.Of(new UsageException("no"));
        Assert.Contains("\e[", failure.Print(false, true, true), StringComparison.Ordinal);
        Assert.DoesNotContain("\e[", failure.Print(false, true, false), StringComparison.Ordinal);
        Assert.DoesNotContain("\e[", failure.Print(true, true, true), StringComparison.Ordinal);
    }
}
