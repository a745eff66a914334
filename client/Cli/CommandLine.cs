using System.CommandLine;
using System.Text.Unicode;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Cli.Verbs;

namespace VmoCluster.Cli;

/// <summary>
/// The whole command line: the verbs, what every one of them takes, and the one place where a failure of any kind becomes words and an exit
/// code. Parsing is System.CommandLine's; help and messages are ours, for they must name forms and repeat no secret.
/// </summary>
internal sealed class CommandLine
{
    private readonly Option<bool> _json = OptionKinds.Flag("--json", "results and errors as one JSON object on one line");
    private readonly Option<string?> _endpoint = OptionKinds.Text(
        "--endpoint", "URL[,URL...]", $"the cluster's nodes; else VMO_ENDPOINT, else {Endpoints.Default}");

    private readonly Option<TimeSpan?> _timeout = OptionKinds.Duration(
        "--timeout", "how long a call is tried, 15s if left out, 60s at most; for wait, how long to wait");

    private readonly Option<bool> _help = OptionKinds.Flag("--help", "this text; after a verb, that verb's");
    private readonly Option<bool> _version = OptionKinds.Flag("--version", "print the client's and the server's version");
    private readonly Command _root = new("vmo");
    private readonly Surroundings _surroundings;

    public CommandLine(Surroundings surroundings)
    {
        _surroundings = surroundings;
        _help.Aliases.Add("-h");
        foreach (var option in Everywhere)
        {
            option.Recursive = true;
            _root.Add(option);
        }

        _root.Add(_version);
        foreach (Command verb in (Command[])
            [
                new CreateVerb(), new CloneVerb(), new InfoVerb(), new SizeVerb(), new ContentSizeVerb(), new NameVerb(), new TreeVerb(), new ExplainVerb(),
                new ReadVerb(), new WriteVerb(), new OpVerb(),
                new ImportVerb(), new ExportVerb(),
                new NbdVerb(),
                new DuplicateVerb(), new ReplaceVerb(), new RenewVerb(), new CloseVerb(), new RevokeVerb(),
                new SignalVerb(), new WaitVerb(),
                new LsVerb(), new HandleVerb(), new ScrubVerb(),
                new CompletionVerb(this),
            ])
        {
            _root.Add(verb);
        }
    }

    public IEnumerable<Verb> Verbs => _root.Subcommands.OfType<Verb>();

    /// <summary>What may stand before or after any verb.</summary>
    public IEnumerable<Option> Everywhere => [_json, _endpoint, _timeout, _help];

    public Option Version => _version;

    /// <summary>Runs one command. Never throws.</summary>
    public async Task<int> RunAsync(string[] args, CancellationToken cancellation)
    {
        var parsed = _root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        var isJson = parsed.GetResult(_json) is { Implicit: false };
        try
        {
            if (TryHelp(parsed) is { } done)
                return done;
            ThrowIfMangled(args);
            ThrowIfWrong(parsed, args);
            var given = _surroundings.Environment("VMO_ENDPOINT");
            var endpoints = parsed.GetValue(_endpoint) is { } option ? Endpoints.Parse(option, "--endpoint")
                : !string.IsNullOrEmpty(given) ? Endpoints.Parse(given, "VMO_ENDPOINT")
                : Endpoints.Parse(Endpoints.Default, "");
            var timeout = parsed.GetValue(_timeout);
            var verb = parsed.CommandResult.Command as Verb;
            // Whoever asks for the version wants it now, with or without a node.
            await using var connection = verb is null
                ? new Connection(_surroundings, endpoints, timeout) { ListensWithin = TimeSpan.Zero }
                : new Connection(_surroundings, endpoints, timeout);
            var run = new Run(_surroundings, parsed, connection, isJson, timeout);
            try
            {
                return verb is null ? await VersionReport.RunAsync(run, cancellation) : await verb.RunAsync(run, cancellation);
            }
            catch (Exception exception) when (exception is VmoException or PartlyDoneException)
            {
                throw await connection.ExplainAsync(exception);
            }
        }
        // The edge: whatever it was, the user gets a sentence and a script gets a number.
        catch (Exception exception)
        {
            var failure = Failure.Of(exception);
            _surroundings.Error.Write(failure.Print(isJson, _surroundings.ErrorIsTerminal, _surroundings.UsesColour));
            _surroundings.Error.Flush();
            return failure.ExitCode;
        }
    }

    private int? TryHelp(ParseResult parsed)
    {
        var verb = parsed.CommandResult.Command as Verb;
        if (parsed.GetResult(_help) is { Implicit: false })
        {
            _surroundings.Out.Write(Help.Bytes(verb is null ? Help.Overview(this) : Help.Of(verb, this)));
            return ExitCodes.Ok;
        }

        // Nothing asked: the overview, but as a mistake, so that a script with an empty variable notices.
        if (verb is null && parsed.Tokens.Count == 0)
        {
            _surroundings.Error.Write(Help.Overview(this));
            return ExitCodes.Usage;
        }

        return null;
    }

    // Bytes that are no UTF-8 have become U+FFFD before we see them. A name or path changed that way would be another one.
    private static void ThrowIfMangled(string[] args)
    {
        if (args.Any(a => a.Contains('\uFFFD', StringComparison.Ordinal)) && !Utf8.IsValid(File.ReadAllBytes("/proc/self/cmdline")))
            throw new VmoException(VmoStatus.InvalidArgs, "an argument is not valid UTF-8");
    }

    private void ThrowIfWrong(ParseResult parsed, string[] args)
    {
        if (parsed.CommandResult.Command is not Verb verb)
        {
            if (parsed.GetResult(_version) is { Implicit: false } && parsed.UnmatchedTokens.Count == 0)
                return;
            var word = parsed.UnmatchedTokens.Count > 0 ? parsed.UnmatchedTokens[0] : null;
            throw new UsageException(word is null
                ? "a verb is missing; vmo --help lists them"
                : $"'{Failure.WithoutSecrets(word)}' is not a verb of vmo{Suggestion(word, Verbs.Select(v => v.Name))}; vmo --help lists them");
        }

        var words = parsed.GetValue(verb.Words) ?? [];
        // Words that look like options were not recognised as such; after -- everything is a word.
        var options = Everywhere.Concat(verb.Options).Select(o => o.Name).ToArray();
        var unknown = args.TakeWhile(a => a != "--")
            .FirstOrDefault(a => a.Length > 1 && a[0] == '-' && words.Contains(a));
        if (unknown is not null)
        {
            throw new UsageException(
                $"'{Failure.WithoutSecrets(unknown)}' is not an option of vmo {verb.Name}{Suggestion(unknown, options)}; vmo {verb.Name} --help lists them");
        }

        foreach (var option in verb.Options)
        {
            if (option.Required && parsed.GetResult(option) is not { Implicit: false })
                throw new UsageException($"{option.Name} {option.HelpName} is missing; vmo {verb.Name} --help tells more");
        }

        if (words.Length > verb.WordsMost)
            throw new UsageException($"'{Failure.WithoutSecrets(words[verb.WordsMost])}' is one word too many: vmo {verb.Name} {verb.Form}".TrimEnd());
        if (parsed.Errors.Count > 0)
            throw new UsageException(parsed.Errors[0].Message.TrimEnd('.'));
    }

    private static string Suggestion(string word, IEnumerable<string> known)
    {
        var nearest = known.Select(k => (Name: k, Distance: Spelling.Distance(word, k))).MinBy(k => k.Distance);
        return nearest.Name is not null && nearest.Distance <= Math.Max(1, nearest.Name.Length / 3) ? $"; did you mean '{nearest.Name}'?" : "";
    }
}
