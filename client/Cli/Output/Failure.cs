using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using VmoCluster.Cli.Files;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Output;

/// <summary>How a command failed, as people and scripts are told. Whatever was thrown becomes one of these: no stack trace, no secret.</summary>
internal sealed partial record Failure
{
    /// <summary>Name in JSON: a status's own name, or Usage, NoConnection, Interrupted.</summary>
    public required string Status { get; init; }

    /// <summary>What stands before the message in text.</summary>
    public required string Label { get; init; }

    /// <summary>The ZX number (negative), or the exit code where there is none.</summary>
    public required int Code { get; init; }

    public required int ExitCode { get; init; }
    public required string Message { get; init; }
    public bool IsRetryable { get; init; }
    public TimeSpan RetryAfter { get; init; }

    /// <summary>What had been done before: <c>written</c>, <c>closed</c>.</summary>
    public (string Key, ulong Number)? Done { get; init; }

    /// <summary>What to do next, for people at a terminal.</summary>
    public string? Hint { get; init; }

    public static Failure Of(Exception exception) => exception switch
    {
        PartlyDoneException partly => Of(partly.InnerException!) with { Done = (partly.Key, partly.Number) },
        VmoException refused => OfStatus(refused),
        UsageException usage => new()
        {
            Status = "Usage", Label = "usage", Code = ExitCodes.Usage, ExitCode = ExitCodes.Usage, Message = usage.Message,
        },
        NoConnectionException => new()
        {
            Status = "NoConnection",
            Label = "no connection",
            Code = ExitCodes.NoConnection,
            ExitCode = ExitCodes.NoConnection,
            Message = exception.Message,
            IsRetryable = true,
            Hint = "is the node running? start one with: dotnet run -c Release --project silo/Server",
        },
        OperationCanceledException => new()
        {
            Status = "Interrupted", Label = "interrupted", Code = ExitCodes.Interrupted, ExitCode = ExitCodes.Interrupted, Message = "nothing half-made was left",
        },
        _ when FileTrouble.IsBrokenPipe(exception) => new()
        {
            Status = "BrokenPipe", Label = "", Code = ExitCodes.BrokenPipe, ExitCode = ExitCodes.BrokenPipe, Message = "",
        },
        IOException or UnauthorizedAccessException => OfStatus(FileTrouble.Of(exception, "stdout")),
        // A bug of ours. Its type and words are for the report; its stack is not for the user.
        _ => OfStatus(new(VmoStatus.Internal, $"a bug of this program: {exception.GetType().Name}: {exception.Message}")),
    };

    private static Failure OfStatus(VmoException refused) => new()
    {
        Status = refused.Status.ToString(),
        Label = refused.Status.ToZxName(),
        Code = (int)refused.Status,
        ExitCode = ExitCodes.Of(refused.Status),
        Message = refused.Message,
        IsRetryable = refused.IsRetryable,
        RetryAfter = refused.RetryAfter ?? TimeSpan.Zero,
    };

    /// <summary>The one or two lines for stderr.</summary>
    public string Print(bool asJson, bool toTerminal, bool inColour)
    {
        if (ExitCode == ExitCodes.BrokenPipe)
            return "";
        var message = WithoutSecrets(Message);
        if (asJson)
        {
            return Encoding.UTF8.GetString(JsonLine.Write(json =>
            {
                json.WriteString("status", Status);
                json.WriteNumber("code", Code);
                json.WriteString("message", message);
                json.WriteBoolean("retryable", IsRetryable);
                json.WriteNumber("retryAfterMs", (long)RetryAfter.TotalMilliseconds);
                if (Done is { } done)
                    json.WriteNumber(done.Key, done.Number);
            }));
        }

        var text = new StringBuilder(inColour ? "\e[1;31mvmo:\e[0m " : "vmo: ").Append(Label).Append(": ").Append(Plain(message));
        if (Done is { } before)
            text.Append(CultureInfo.InvariantCulture, $" ({before.Key} {before.Number})");
        if (RetryAfter > TimeSpan.Zero)
            text.Append(CultureInfo.InvariantCulture, $"; try again in {(long)RetryAfter.TotalMilliseconds} ms");
        text.Append('\n');
        if (toTerminal && Hint is not null)
            text.Append("hint: ").Append(Hint).Append('\n');
        return text.ToString();
    }

    /// <summary>Handles and operator tokens, wherever they got into a sentence, cut down to their prefix.</summary>
    public static string WithoutSecrets(string text) => Secret().Replace(text, "$1***");

    // A message is one line, whatever name or path it repeats.
    private static string Plain(string message) => string.Concat(message.Select(c => char.IsControl(c) ? ' ' : c));

    [GeneratedRegex("(vmo_|vmoop_)[A-Za-z0-9_+/=-]{16,}", RegexOptions.IgnoreCase)]
    private static partial Regex Secret();
}
