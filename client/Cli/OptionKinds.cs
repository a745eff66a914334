using System.CommandLine;
using VmoCluster.Cli.Parsing;
using VmoCluster.Cli.Verbs;

namespace VmoCluster.Cli;

/// <summary>The kinds of options there are. Each reads its own form and says what the form is when it was not met.</summary>
internal static class OptionKinds
{
    private delegate bool TryParse<T>(string text, out T value);

    public static Option<ulong> Number(string name, string description, bool isRequired = false) =>
        Of(name, "N", description, isRequired, (string text, out ulong value) => Numbers.TryParse(text, out value), Numbers.Form);

    public static Option<ulong?> MaybeNumber(string name, string description) => Of(name, "N", description, false, (string text, out ulong? value) =>
    {
        var isNumber = Numbers.TryParse(text, out var number);
        value = number;
        return isNumber;
    }, Numbers.Form);

    public static Option<TimeSpan?> Duration(string name, string description, bool isRequired = false) => Of(name, "T", description, isRequired, (string text, out TimeSpan? value) =>
    {
        var isTime = Durations.TryParse(text, out var duration);
        value = duration;
        return isTime;
    }, Durations.Form);

    public static Option<ByteRange?> Range(string name, string description) => Of(name, "OFF,LEN", description, false, (string text, out ByteRange? value) =>
    {
        var isRange = Numbers.TryParseRange(text, out var range);
        value = range;
        return isRange;
    }, "OFF,LEN, each " + Numbers.Form);

    /// <summary>May be given several times, each <c>OFF,LEN</c>.</summary>
    public static Option<IReadOnlyList<ByteRange>> Ranges(string name, string description) => new(name)
    {
        HelpName = "OFF,LEN",
        Description = description,
        Arity = ArgumentArity.ZeroOrMore,
        CustomParser = result =>
        {
            var ranges = new List<ByteRange>();
            foreach (var token in result.Tokens)
            {
                if (Numbers.TryParseRange(token.Value, out var range))
                    ranges.Add(range);
                else
                    result.AddError($"{name}: '{token.Value}' is not OFF,LEN, each {Numbers.Form}");
            }

            return ranges;
        },
    };

    /// <summary>A kind of child, by the name that info prints.</summary>
    public static Option<VmoKind?> Kind(string name, string description)
    {
        var kinds = Enum.GetValues<VmoKind>().Where(kind => kind != VmoKind.Root).ToDictionary(InfoVerb.KindName);
        var option = Of(
            name, string.Join('|', kinds.Keys), description, false,
            (string text, out VmoKind? value) =>
            {
                var isKind = kinds.TryGetValue(text, out var kind);
                value = kind;
                return isKind;
            },
            "one of " + string.Join(", ", kinds.Keys));
        // An enum brings its members' names by itself, a root among them.
        option.CompletionSources.Clear();
        option.CompletionSources.Add([.. kinds.Keys]);
        return option;
    }

    public static Option<string?> Text(string name, string word, string description) => new(name) { HelpName = word, Description = description };

    public static Option<bool> Flag(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>A list of kebab-case names as bits; <c>same</c>, where there is such a thing, is the bits given for it.</summary>
    public static Option<uint> Bits(string name, string description, BitNames names, bool isRequired = false, uint? same = null)
    {
        var option = new Option<uint>(name)
        {
            HelpName = same is null ? "LIST" : "LIST|same",
            Description = description,
            Required = isRequired,
            CustomParser = result =>
            {
                var text = result.Tokens[0].Value;
                if (text == "same" && same is { } bits)
                    return bits;
                if (!names.TryParse(text, out bits, out var problem))
                    result.AddError($"{name}: {problem}{(same is null ? "" : ", same")}");
                return bits;
            },
        };
        option.CompletionSources.Add([.. names.All, .. same is null ? Array.Empty<string>() : ["same"], "none"]);
        return option;
    }

    /// <summary>May be given several times, each <c>K=V</c>; of two with one key the later counts.</summary>
    public static Option<Dictionary<string, string>> LabelSet(string name, string description) => new(name)
    {
        HelpName = "K=V",
        Description = description,
        Arity = ArgumentArity.ZeroOrMore,
        CustomParser = result =>
        {
            var labels = new Dictionary<string, string>();
            foreach (var token in result.Tokens)
            {
                if (Labels.TryParse(token.Value, out var label))
                    labels[label.Key] = label.Value;
                else
                    result.AddError($"{name}: '{token.Value}' is not {Labels.Form}");
            }

            return labels;
        },
    };

    private static Option<T> Of<T>(string name, string word, string description, bool isRequired, TryParse<T> tryParse, string form) => new(name)
    {
        HelpName = word,
        Description = description,
        Required = isRequired,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (!tryParse(text, out var value))
                result.AddError($"{name}: '{text}' is not {form}");
            return value;
        },
    };
}
