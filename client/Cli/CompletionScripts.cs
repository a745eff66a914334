using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Text;

namespace VmoCluster.Cli;

/// <summary>Completion scripts, written from the verbs themselves: verbs, their options, the words and names an option or verb knows.</summary>
internal static class CompletionScripts
{
    private static readonly string[] FileOptions = ["--in", "--out"];
    private static readonly string[] FileVerbs = ["import", "export"];

    public static string Bash(CommandLine line)
    {
        var text = new StringBuilder("""
            # bash completion for vmo
            _vmo() {
                local cur prev verb i
                cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=
                COMPREPLY=()
                for ((i = 1; i < COMP_CWORD; i++)); do
                    case ${COMP_WORDS[i]} in
                        --endpoint|--timeout) i=$((i + 1)) ;;
                        -*) ;;
                        *) verb=${COMP_WORDS[i]}; break ;;
                    esac
                done
                # A list: what stands before the last comma stays.
                _vmo_list() {
                    local head=
                    [[ $cur == *,* ]] && head=${cur%,*},
                    COMPREPLY=($(compgen -P "$head" -W "$1" -- "${cur##*,}"))
                    compopt -o nospace 2>/dev/null
                }
                case "$verb $prev" in

            """);
        foreach (var verb in line.Verbs)
        {
            foreach (var option in verb.Options)
            {
                if (Values(option) is { Length: > 0 } values)
                    text.Append(CultureInfo.InvariantCulture, $"        \"{verb.Name} {option.Name}\") _vmo_list \"{values}\"; return ;;\n");
            }
        }

        text.Append(CultureInfo.InvariantCulture, $"        *\" {string.Join("\"|*\" ", FileOptions)}\") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n    esac\n    case $verb in\n");
        text.Append(CultureInfo.InvariantCulture, $"        '') COMPREPLY=($(compgen -W \"{Verbs(line)} {Options(line)} --version\" -- \"$cur\")) ;;\n");
        foreach (var verb in line.Verbs)
        {
            var files = FileVerbs.Contains(verb.Name) ? "; [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- \"$cur\"))" : "";
            text.Append(CultureInfo.InvariantCulture, $"        {verb.Name}) COMPREPLY=($(compgen -W \"{Options(verb, line)} {Words(verb)}\" -- \"$cur\")){files} ;;\n");
        }

        return text.Append("    esac\n}\ncomplete -F _vmo vmo\n").ToString();
    }

    public static string Zsh(CommandLine line)
    {
        var text = new StringBuilder("#compdef vmo\n# zsh completion for vmo\n_vmo() {\n    local -a verbs\n    verbs=(\n");
        foreach (var verb in line.Verbs)
            text.Append(CultureInfo.InvariantCulture, $"        {Quoted($"{verb.Name}:{verb.Description}")}\n");
        text.Append("    )\n    local verb=${words[(r)(").AppendJoin('|', line.Verbs.Select(v => v.Name)).Append(")]}\n    case $verb in\n");
        foreach (var verb in line.Verbs)
        {
            text.Append(CultureInfo.InvariantCulture, $"        {verb.Name}) _arguments");
            foreach (var option in verb.Options.Concat(line.Everywhere))
                text.Append(' ').Append(ZshSpec(option));
            var words = FileVerbs.Contains(verb.Name) ? "_files" : Words(verb) is { Length: > 0 } known ? $"({known})" : " ";
            text.Append(' ').Append(Quoted($"*::word:{words}")).Append(" ;;\n");
        }

        text.Append("        *) _arguments");
        foreach (var option in line.Everywhere.Append(line.Version))
            text.Append(' ').Append(ZshSpec(option));
        return text.Append(" '*::verb:{_describe verb verbs}' ;;\n    esac\n}\nif [ \"$funcstack[1]\" = _vmo ]; then _vmo \"$@\"; else compdef _vmo vmo; fi\n").ToString();
    }

    public static string Fish(CommandLine line)
    {
        var text = new StringBuilder("# fish completion for vmo\ncomplete -c vmo -f\n");
        foreach (var option in line.Everywhere)
            text.Append(CultureInfo.InvariantCulture, $"complete -c vmo -l {option.Name[2..]}{(option.HelpName is null ? "" : " -x")} -d {Quoted(option.Description!)}\n");
        text.Append(CultureInfo.InvariantCulture, $"complete -c vmo -n __fish_use_subcommand -l version -d {Quoted(line.Version.Description!)}\n");
        foreach (var verb in line.Verbs)
        {
            text.Append(CultureInfo.InvariantCulture, $"complete -c vmo -n __fish_use_subcommand -a {verb.Name} -d {Quoted(verb.Description!)}\n");
            var within = $"complete -c vmo -n '__fish_seen_subcommand_from {verb.Name}'";
            if (Words(verb) is { Length: > 0 } words)
                text.Append(CultureInfo.InvariantCulture, $"{within} -a {Quoted(words)}\n");
            if (FileVerbs.Contains(verb.Name))
                text.Append(CultureInfo.InvariantCulture, $"{within} -F\n");
            foreach (var option in verb.Options)
            {
                var argument = option.HelpName is null ? "" : FileOptions.Contains(option.Name) ? " -r -F"
                    : Values(option) is { Length: > 0 } values ? $" -x -a {Quoted(values)}" : " -x";
                text.Append(CultureInfo.InvariantCulture, $"{within} -l {option.Name[2..]}{argument} -d {Quoted(option.Description!)}\n");
            }
        }

        return text.ToString();
    }

    private static string ZshSpec(Option option)
    {
        var description = option.Description!.Replace(":", "\\:", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal).Replace("]", "\\]", StringComparison.Ordinal);
        var argument = option.HelpName is null ? "" : FileOptions.Contains(option.Name) ? ":file:_files"
            : Values(option) is { Length: > 0 } values ? $":list:_values -s , names {values}" : ": : ";
        return Quoted($"{option.Name}[{description}]{argument}");
    }

    private static string Verbs(CommandLine line) => string.Join(' ', line.Verbs.Select(v => v.Name));

    private static string Options(CommandLine line) => string.Join(' ', line.Everywhere.Select(o => o.Name));

    private static string Options(Verb verb, CommandLine line) => string.Join(' ', verb.Options.Select(o => o.Name).Append(Options(line)));

    private static string Values(Option option) => option.HelpName is null ? "" : Labels(option.CompletionSources);

    private static string Words(Verb verb) => Labels(verb.Words.CompletionSources);

    // Only fixed names were given as sources: none looks at what was typed.
    private static string Labels(IEnumerable<Func<CompletionContext, IEnumerable<CompletionItem>>> sources) =>
        string.Join(' ', sources.SelectMany(source => source(CompletionContext.Empty)).Select(item => item.Label));

    private static string Quoted(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
