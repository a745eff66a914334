using System.CommandLine;

namespace VmoCluster.Cli.Verbs;

/// <summary>create --size N [--name S] [--fixed] [--label K=V]...</summary>
internal sealed class CreateVerb : Verb
{
    private readonly Option<ulong> _size = OptionKinds.Number("--size", "bytes, rounded up to whole pages of 4096", isRequired: true);
    private readonly Option<string?> _name = OptionKinds.Text("--name", "S", "a name for people, cut to 31 bytes; names nothing to the cluster");
    private readonly Option<bool> _fixed = OptionKinds.Flag("--fixed", "its size can never be changed");
    private readonly Option<Dictionary<string, string>> _labels = OptionKinds.LabelSet("--label", "a label, may be given again; ls finds VMOs by them");

    public CreateVerb()
        : base("create", VerbGroup.Objects, "make a VMO of zeros and print its handle")
    {
        Details = "A VMO costs what is written to it: one of 1 TiB that nobody wrote to stores nothing. The handle printed is the only way\n" +
            "in: whoever has it has all rights to the VMO, and when the last handle is closed, the VMO is gone.";
        Examples =
        [
            "export VMO_HANDLE=$(vmo create --size 1GiB --name scratch)",
            "vmo create --size 0x10000 --label team=ci --label keep=no --json",
        ];
        Add(_size);
        Add(_name);
        Add(_fixed);
        Add(_labels);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var size = run.Get(_size);
        var client = await run.ClientAsync(cancellation);
        var vmo = await client.CreateAsync(
            size, new() { Name = run.Get(_name) ?? "", NonResizable = run.Get(_fixed), Labels = run.Get(_labels) }, cancellation);
        run.AnswerHandle(vmo, vmo.Rights ?? VmoRights.None, Pages.RoundUp(size));
        run.Hint("keep the handle: export VMO_HANDLE=..., then: echo hello | vmo write --offset 0");
        return Output.ExitCodes.Ok;
    }
}
