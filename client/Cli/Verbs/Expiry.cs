using System.CommandLine;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>When a handle shall end: so long from now, or never.</summary>
internal sealed record Expiry(TimeSpan? After)
{
    /// <summary>--expires T.</summary>
    public static Option<Expiry?> Option(string description, bool isRequired) => new("--expires")
    {
        HelpName = "T|never",
        Description = description,
        Required = isRequired,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (text == "never")
                return new Expiry((TimeSpan?)null);
            if (!Durations.TryParse(text, out var after))
                result.AddError($"--expires: '{text}' is not {Durations.Form}, or never");
            return new Expiry(after);
        },
    };

    /// <summary>The moment, from now on this machine's clock; null for never.</summary>
    public DateTimeOffset? ToMoment(TimeProvider time)
    {
        if (After is not { } after)
            return null;
        var now = time.GetUtcNow();
        return after <= DateTimeOffset.MaxValue - now
            ? now + after
            : throw new UsageException($"--expires: that is beyond the year {DateTimeOffset.MaxValue.Year}; 'never' is as long");
    }
}
