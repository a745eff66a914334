using System.CommandLine;
using System.Text;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>completion bash|zsh|fish</summary>
internal sealed class CompletionVerb : Verb
{
    private readonly CommandLine _line;

    public CompletionVerb(CommandLine line)
        : base("completion", VerbGroup.Shell, "print a script that completes verbs and options in a shell")
    {
        _line = line;
        Form = "bash|zsh|fish";
        Details = "The script knows this version's verbs and options; it asks no node and reads no handle.";
        Examples =
        [
            "source <(vmo completion bash)",
            "vmo completion zsh > \"${fpath[1]}/_vmo\"",
            "vmo completion fish > ~/.config/fish/completions/vmo.fish",
        ];
        TakeWords(1);
        Words.CompletionSources.Add("bash", "zsh", "fish");
    }

    public override Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var script = run.FirstWord(this) switch
        {
            "bash" => CompletionScripts.Bash(_line),
            "zsh" => CompletionScripts.Zsh(_line),
            "fish" => CompletionScripts.Fish(_line),
            null => throw new UsageException("say for which shell: bash, zsh or fish"),
            var word => throw new UsageException($"'{Failure.WithoutSecrets(word)}' is not one of bash, zsh, fish"),
        };
        run.Surroundings.Out.Write(Encoding.UTF8.GetBytes(script));
        return Task.FromResult(ExitCodes.Ok);
    }
}
