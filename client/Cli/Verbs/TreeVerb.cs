using System.CommandLine;
using System.Text.Json;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Verbs;

/// <summary>tree [H|--all]</summary>
internal sealed class TreeVerb : Verb
{
    private readonly Option<bool> _all = OptionKinds.Flag("--all", "every family there is, from the operator's list; own pages are not known then");

    public TreeVerb()
        : base("tree", VerbGroup.Objects, "draw a VMO's family: its ancestors, itself and all below it")
    {
        Form = "[H]";
        Details = "A line a VMO, parents first: koid, kind, size, own pages, bytes charged to it, name. Ancestors stand without their names; children of\n" +
            "theirs that H cannot look into are only counted (+N). 'ghost' has no handle any more and lives for its children. H must allow inspect;\n" +
            "--all needs the operator's credential, as ls does. With --json an object a line.";
        Examples = ["vmo tree $H", "vmo tree $H --json | jq .chargedBytes", "vmo tree --all"];
        TakeWords(1);
        Add(_all);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var isAll = run.Get(_all);
        if (isAll && run.FirstWord(this) is not null)
            throw new UsageException("--all is every family: leave the handle out");
        var nodes = new List<TreeNode>();
        if (isAll)
        {
            var client = await run.OperatorAsync(cancellation);
            await foreach (var info in client.ListAsync(new(), cancellation))
                nodes.Add(NodeOf(info));
        }
        else
        {
            var vmo = await run.VmoAsync(this, cancellation);
            await foreach (var node in vmo.TreeAsync(cancellation))
                nodes.Add(node);
        }

        var family = new FamilyPicture(nodes, hasOwnPages: !isAll);
        run.Heading(family.Heading);
        foreach (var (node, line) in family.Lines())
            run.Answer(json => Write(json, node, !isAll), line);
        return ExitCodes.Ok;
    }

    private static TreeNode NodeOf(VmoInfo info) => new()
    {
        Koid = info.Koid,
        Parent = info.Parent,
        Kind = info.Kind,
        Offset = info.Offset,
        Size = info.Size,
        CommittedBytes = info.CommittedBytes,
        ChargedBytes = info.ChargedBytes,
        Name = info.Name ?? "",
        IsGhost = info.HandleCount == 0,
        ChildCount = info.ChildCount,
    };

    private static void Write(Utf8JsonWriter json, TreeNode node, bool hasOwnPages)
    {
        json.WriteNumber("koid", node.Koid.Value);
        json.WriteNumber("parentKoid", node.Parent.Value);
        json.WriteString("kind", InfoVerb.KindName(node.Kind));
        json.WriteNumber("offset", node.Offset);
        json.WriteNumber("size", node.Size);
        if (hasOwnPages)
            json.WriteNumber("ownPages", node.OwnPages);
        else
            json.WriteNull("ownPages");
        json.WriteNumber("committedBytes", node.CommittedBytes);
        json.WriteNumber("chargedBytes", node.ChargedBytes);
        json.WriteString("name", node.Name);
        json.WriteBoolean("ghost", node.IsGhost);
        json.WriteNumber("numChildren", node.ChildCount);
    }
}
