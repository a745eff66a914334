using System.CommandLine;
using System.Globalization;
using System.Text;

namespace VmoCluster.Cli;

/// <summary>Help that begins with what one wants to do.</summary>
internal static class Help
{
    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>vmo --help.</summary>
    public static string Overview(CommandLine line)
    {
        var text = new StringBuilder("""
            vmo: virtual memory objects, from the shell

            A VMO is a sparse array of bytes kept by a cluster. You reach it by a handle, a secret word that is printed when it is made;
            whoever has the word has the VMO.

            Begin:
              export VMO_HANDLE=$(vmo create --size 1GiB --name scratch)
              echo hello | vmo write --offset 0
              vmo read --offset 0 --length 6
              vmo close

            Usage:
              vmo VERB [words] [options]


            """);
        foreach (var group in line.Verbs.GroupBy(v => v.Group).OrderBy(g => g.Key))
        {
            text.Append(CultureInfo.InvariantCulture, $"{group.Key}:\n");
            foreach (var verb in group)
                text.Append(CultureInfo.InvariantCulture, $"  {verb.Name,-13} {verb.Description}\n");
            text.Append('\n');
        }

        text.Append("Options, before or after the verb:\n");
        foreach (var option in line.Everywhere.Append(line.Version))
            AppendOption(text, option);
        return text.Append("""

            H is a handle: its text, or - to read it from stdin, or @FILE; left out, it is VMO_HANDLE.
            N is a number of bytes: decimal or 0x hex, with KiB, MiB, GiB or TiB. T is a time: 500ms, 2s, 5m, 1h; a bare number is seconds.
            Exit codes: 0 done; 64 the command makes no sense; 69 no node answers; 130 interrupted; else the status's number (14 OUT_OF_RANGE).
            vmo VERB --help tells more, with examples.

            """).ToString();
    }

    /// <summary>vmo VERB --help.</summary>
    public static string Of(Verb verb, CommandLine line)
    {
        var text = new StringBuilder($"vmo {verb.Name}: {verb.Description}\n\nUsage:\n  vmo {verb.Name}");
        if (verb.Form.Length > 0)
            text.Append(' ').Append(verb.Form);
        foreach (var option in verb.Options)
        {
            var form = option.HelpName is null ? option.Name : $"{option.Name} {option.HelpName}";
            text.Append(option.Required ? $" {form}" : $" [{form}]");
            if (option.Arity.MaximumNumberOfValues > 1)
                text.Append("...");
        }

        text.Append("\n\n");
        if (verb.Details.Length > 0)
            text.Append(verb.Details).Append("\n\n");
        if (verb.Options.Count > 0)
        {
            text.Append("Options:\n");
            foreach (var option in verb.Options)
                AppendOption(text, option);
            text.Append('\n');
        }

        text.Append("Options of every verb: ").AppendJoin(", ", line.Everywhere.Select(o => o.Name)).Append(" (vmo --help)\n");
        if (verb.Examples.Count > 0)
            text.Append("\nExamples:\n");
        foreach (var example in verb.Examples)
            text.Append("  ").Append(example).Append('\n');
        return text.ToString();
    }

    private static void AppendOption(StringBuilder text, Option option)
    {
        var form = option.HelpName is null ? option.Name : $"{option.Name} {option.HelpName}";
        text.Append(CultureInfo.InvariantCulture, $"  {form,-24} {option.Description}{(option.Required ? " (needed)" : "")}\n");
    }
}
